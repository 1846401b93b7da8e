// Package flanneld is flannel's daemon, made of flannel's own packages.
//
// Upstream's main pulls in backends for clouds whose clients no longer build,
// reads etcd, and takes its devices down when it ends. This one does what a
// kagent node needs:
//
//	node's pod CIDR known ─▶ backend (device, lease as node annotations) ─▶ firewall rules
//	─▶ subnet file ─▶ NetworkUnavailable=False ─▶ routes to other nodes, until SIGTERM
//
// The subnet file's appearance says "ready". A signal ends the process and
// leaves device, routes and rules where they are: pods keep talking while
// kagent restarts.
package flanneld

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	// A backend registers itself by being imported.
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	_ "github.com/flannel-io/flannel/pkg/backend/wireguard"
)

// annotationPrefix is upstream's: tools look for these annotations.
const annotationPrefix = "flannel.alpha.coreos.com"

// Run is the program. It returns its exit code: 0 after a signal, 1 when it
// failed, 2 for wrong flags.
func Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := RunUntil(ctx, os.Args[1:]); {
	case errors.Is(err, errVersion):
		fmt.Println(version.Version)
		return 0
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errFlags):
		return 2 // why is printed already
	default:
		klog.Errorf("flanneld failed: %v", err)
		return 1
	}
}

// RunUntil runs it until ctx ends, which is no failure.
func RunUntil(ctx context.Context, args []string) error {
	opts, err := parseFlags(args)
	switch {
	case errors.Is(err, errVersion), errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errFlags, err)
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(ctx, opts) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		klog.Info("stopping; the network stays as it is")
		return nil
	}
	return err
}

// serve sets the node's network up and follows the other nodes. It returns
// only to say what failed, or that ctx ended before it was up.
//
// What lasts gets a context of its own that never ends: flannel's packages
// take cancellation as "undo", and would remove the wireguard device and the
// firewall rules.
func serve(ctx context.Context, opts options) error {
	lasting := context.Background()
	manager, err := newManager(ctx, lasting, opts)
	if err != nil {
		return err
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("network configuration %s: %w", opts.netConfigPath, err)
	}
	external, err := externalInterface(ctx, manager, config, opts)
	if err != nil {
		return err
	}
	be, err := backend.NewManager(lasting, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("backend %q: %w", config.BackendType, err)
	}
	var work sync.WaitGroup
	network, err := register(ctx, lasting, be, &work, config)
	if err != nil {
		return fmt.Errorf("backend %q: %w", config.BackendType, err)
	}
	lease := network.Lease()
	if err := setupTraffic(lasting, config, lease, opts); err != nil {
		return err
	}
	if err := manager.HandleSubnetFile(opts.subnetFile, config, opts.ipMasq, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return fmt.Errorf("subnet file: %w", err)
	}
	klog.Infof("subnet file %s is written: subnet %s, mtu %d", opts.subnetFile, lease.Subnet, network.MTU())

	// Other nodes' routes must not wait for the API server to take the condition.
	ended := make(chan struct{})
	go func() {
		network.Run(lasting)
		close(ended)
	}()
	for {
		err := manager.CompleteLease(ctx, lease, &work) // NetworkUnavailable=False
		if err == nil {
			break
		}
		klog.Warningf("node condition NetworkUnavailable not set yet: %v", err)
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	<-ended
	return errors.New("the backend stopped following the other nodes")
}

// newManager starts flannel's view of all nodes, and returns when it is in
// step and this node has its pod CIDR. Both waits run side by side.
func newManager(ctx, lasting context.Context, opts options) (subnet.Manager, error) {
	kubeconfig, err := clientcmd.BuildConfigFromFlags("", opts.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := os.Setenv("NODE_NAME", opts.nodeName); err != nil { // where flannel's package looks for it
		return nil, err
	}
	if err := waitForRights(ctx, client); err != nil {
		return nil, err
	}
	hasCIDR := make(chan error, 1)
	go func() { hasCIDR <- waitForPodCIDR(ctx, client, opts.nodeName) }()
	manager, err := kube.NewSubnetManager(lasting, "", opts.kubeconfig, annotationPrefix, opts.netConfigPath, true)
	if err != nil {
		return nil, fmt.Errorf("node %q: %w", opts.nodeName, err)
	}
	return restoring{Manager: manager, leases: leasesOf(client)}, <-hasCIDR
}

// register repeats the backend's registration for a moment: the pod CIDR has
// been seen, but perhaps not yet by flannel's own watch.
func register(ctx, lasting context.Context, be backend.Backend, work *sync.WaitGroup, config *subnet.Config) (backend.Network, error) {
	for deadline := time.Now().Add(2 * time.Second); ; {
		network, err := be.RegisterNetwork(lasting, work, config)
		if err == nil || time.Now().After(deadline) {
			return network, err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// externalInterface finds the interface other nodes reach this one by: the
// one named by a flag, or that of the default route. An address that somebody
// wrote into the node's annotation wins, as upstream has it.
func externalInterface(ctx context.Context, manager subnet.Manager, config *subnet.Config, opts options) (*backend.ExternalInterface, error) {
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	public := ipmatch.PublicIPOpts{PublicIP: opts.publicIP, PublicIPv6: opts.publicIPv6}
	storedIP, storedIPv6 := manager.GetStoredPublicIP(ctx)
	if storedIP != "" {
		public.PublicIP = storedIP
	}
	if storedIPv6 != "" {
		public.PublicIPv6 = storedIPv6
	}
	external, err := ipmatch.LookupExtIface(opts.iface, "", "", family, public)
	if err != nil {
		return nil, fmt.Errorf("no interface to reach other nodes by (see --iface): %w", err)
	}
	return external, nil
}

// sleep returns early, with the reason, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
