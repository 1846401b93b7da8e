// kine for the databases that somebody else keeps: PostgreSQL, MySQL and
// MariaDB. Upstream's command brings SQLite, NATS and others with it, and
// listens for other hosts too.
//
//	kine SOCKET
//
// Where the database is, and what proves who asks, is in the environment: a
// command line is everybody's to read.
package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/mysql"
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"
	"github.com/k3s-io/kine/pkg/server"
	"github.com/k3s-io/kine/pkg/tls"
	"google.golang.org/grpc"
)

const (
	// Progress of watches, as kube-apiserver asks for it, is told from this version of etcd on.
	emulatedVersion = "3.6.11"
	notifyInterval  = 5 * time.Second
	retryInterval   = time.Second
	// Of one object, and what gRPC adds.
	maxRequestBytes = 2 * 1024 * 1024
	stopTimeout     = 2 * time.Second
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kine SOCKET")
		os.Exit(2)
	}
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(socket string) error {
	stopping, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	// The database is left when nobody asks any more.
	using, leave := context.WithCancel(context.Background())
	group := &sync.WaitGroup{}
	defer group.Wait()
	defer leave()
	context.AfterFunc(stopping, func() { time.AfterFunc(stopTimeout, leave) })

	backend, err := untilFound(stopping, using, group, &drivers.Config{
		Endpoint: os.Getenv("KINE_ENDPOINT"),
		BackendTLSConfig: tls.Config{
			CAFile:   os.Getenv("KINE_CA_FILE"),
			CertFile: os.Getenv("KINE_CERT_FILE"),
			KeyFile:  os.Getenv("KINE_KEY_FILE"),
		},
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 20, MaxIdleTime: 2 * time.Minute},
		// kube-apiserver says when; these are upstream's own steps.
		CompactTimeout:   5 * time.Second,
		CompactMinRetain: 1000,
		CompactBatchSize: 1000,
		PollBatchSize:    500,
	})
	if err != nil {
		return err
	}
	if err := backend.Start(using); err != nil {
		return err
	}
	listener, err := listen(socket)
	if err != nil {
		return err
	}
	asked := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequestBytes), grpc.MaxSendMsgSize(math.MaxInt32))
	server.New(backend, "unix", notifyInterval, emulatedVersion).Register(asked)
	context.AfterFunc(stopping, func() {
		time.AfterFunc(stopTimeout, asked.Stop)
		asked.GracefulStop()
	})
	return asked.Serve(listener)
}

// untilFound waits for a database that is away as long as it takes: a box may
// be up before it, and what is wrong with it may be put right.
func untilFound(stopping, using context.Context, group *sync.WaitGroup, config *drivers.Config) (server.Backend, error) {
	said := ""
	for {
		_, backend, err := drivers.New(using, group, config)
		if err == nil {
			return backend, nil
		}
		if err.Error() != said {
			said = err.Error()
			fmt.Fprintln(os.Stderr, said)
		}
		select {
		case <-stopping.Done():
			return nil, err
		case <-time.After(retryInterval):
		}
	}
}

// listen makes a socket that is open to nobody else, not for a moment.
func listen(socket string) (net.Listener, error) {
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	defer syscall.Umask(syscall.Umask(0o177))
	return net.Listen("unix", socket)
}
