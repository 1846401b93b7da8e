// Package metricsserver is Kubernetes' metrics-server, reaching its kubelets
// as kube-apiserver does: through the server's tunnel, since no port of a node
// is open.
//
// Upstream's own command dials nodes directly and has no option for a proxy on
// a unix socket, so this one builds upstream's options and server, and gives
// the client of the kubelets another way to dial.
package metricsserver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
)

// dialTimeout is for the way to a node; what the node then takes to answer has
// upstream's own limit.
const dialTimeout = 10 * time.Second

// NewCommand has upstream's flags and one more.
func NewCommand() *cobra.Command {
	opts := options.NewOptions()
	var egressSocket string
	cmd := &cobra.Command{
		Use:           "metrics-server",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(genericapiserver.SetupSignalContext(), opts, egressSocket)
		},
	}
	for _, flags := range opts.Flags().FlagSets {
		cmd.Flags().AddFlagSet(flags)
	}
	cmd.Flags().StringVar(&egressSocket, "egress-socket", "", "unix socket of an HTTP proxy through which kubelets are reached")
	return cmd
}

func run(ctx context.Context, opts *options.Options, egressSocket string) error {
	if errs := opts.Validate(); len(errs) > 0 {
		return errs[0]
	}
	config, err := opts.ServerConfig()
	if err != nil {
		return err
	}
	if egressSocket != "" {
		config.Kubelet.Client.Dial = dialThrough(egressSocket)
	}
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(ctx.Done())
}

// dialThrough asks the proxy at socket for a connection, as kube-apiserver does
// (HTTP CONNECT, RFC 9110, section 9.3.6).
func dialThrough(socket string) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, err
		}
		if err := connect(conn, address); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("connecting to %s through %s: %w", address, socket, err)
		}
		return conn, nil
	}
}

func connect(conn net.Conn, address string) error {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address); err != nil {
		return err
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answers %s", response.Status)
	}
	if reader.Buffered() > 0 {
		return fmt.Errorf("%d bytes came before the kubelet was asked anything", reader.Buffered())
	}
	return conn.SetDeadline(time.Time{})
}
