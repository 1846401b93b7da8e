package flanneld

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/klog/v2"
)

// options are the flags, with upstream's names where upstream has them.
type options struct {
	kubeconfig     string
	nodeName       string
	iface          string
	publicIP       string
	publicIPv6     string
	netConfigPath  string
	subnetFile     string
	ipMasq         bool
	firewallResync time.Duration
}

var (
	errVersion = errors.New("version asked for")
	errFlags   = errors.New("wrong flags")
)

func parseFlags(args []string) (options, error) {
	var o options
	var showVersion bool
	flags := flag.NewFlagSet("flanneld", flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of a user who may watch nodes and patch this node's status")
	flags.StringVar(&o.nodeName, "node-name", os.Getenv("NODE_NAME"), "this node's name; by default NODE_NAME of the environment")
	flags.StringVar(&o.iface, "iface", "", "interface, by name or address, that other nodes reach; by default the default route's")
	flags.StringVar(&o.publicIP, "public-ip", "", "IPv4 address other nodes reach this one by; by default the interface's")
	flags.StringVar(&o.publicIPv6, "public-ipv6", "", "IPv6 address other nodes reach this one by; by default the interface's")
	flags.StringVar(&o.netConfigPath, "net-config-path", "/etc/kube-flannel/net-conf.json", "network configuration in flannel's format")
	flags.StringVar(&o.subnetFile, "subnet-file", "/run/flannel/subnet.env", "file to write subnet and MTU to; it appears when the network is up")
	flags.BoolVar(&o.ipMasq, "ip-masq", false, "masquerade pods' traffic that leaves the cluster")
	flags.DurationVar(&o.firewallResync, "firewall-resync", time.Minute, "how often firewall rules are checked, and restored if somebody removed them")
	flags.BoolVar(&showVersion, "version", false, "print the version and exit")
	var logging flag.FlagSet
	klog.InitFlags(&logging)
	verbosity := logging.Lookup("v")
	flags.Var(verbosity.Value, verbosity.Name, verbosity.Usage)

	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if showVersion {
		return o, errVersion
	}
	err := o.check(flags.Args())
	if err != nil {
		fmt.Fprintf(os.Stderr, "flanneld: %v\n", err)
	}
	return o, err
}

func (o options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case o.kubeconfig == "":
		return errors.New("--kubeconfig is missing")
	case o.nodeName == "":
		return errors.New("--node-name is missing")
	case o.firewallResync < time.Second:
		return errors.New("--firewall-resync must be a second or more")
	}
	return nil
}
