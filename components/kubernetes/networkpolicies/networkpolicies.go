// Package networkpolicies has this node's pods reach, and be reached by, what
// NetworkPolicies allow.
//
//	NetworkPolicies, and while there are any: Pods, Namespaces ─▶ compile ─▶ ruleset ─▶ kernel (one nftables table)
//	CNI plugin ──a pod has an address──▶ socket ──answered when its rules are in force──▶ its containers start
//
// Rules are worked out anew at each change, and only the difference is written,
// in one transaction. They are of this node's pods alone, and stay when the
// process ends. Where the kernel lacks what they are made of, it is said by
// the state of this program and by an event at each policy.
//
// Spec: Kubernetes networking/v1 NetworkPolicy.
package networkpolicies

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	programName = "network-policies"
	// In the folder of what is kept while the host is up.
	socketName = "socket"
	markerName = "tables"
)

type options struct {
	kubeconfig string
	nodeName   string
	stateDir   string
	bridge     string
	remove     bool
}

var errFlags = errors.New("wrong flags")

// Run is the program. It returns its exit code: 0 when ctx has ended, 1 when it
// failed, 2 for wrong flags.
func Run(ctx context.Context, args []string) int {
	switch err := RunUntil(ctx, args); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errFlags):
		fmt.Fprintln(os.Stderr, err)
		return 2
	default:
		klog.Errorf("%s failed: %v", programName, err)
		return 1
	}
}

// RunUntil runs it until ctx ends, which is no failure.
func RunUntil(ctx context.Context, args []string) error {
	opts, err := parseFlags(args)
	if err != nil {
		return err
	}
	if opts.remove {
		if err := removeTables(); err != nil {
			return err
		}
		return os.RemoveAll(opts.stateDir)
	}
	kubeconfig, err := clientcmd.BuildConfigFromFlags("", opts.kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	kubeconfig.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(kubeconfig)
	if err != nil {
		return err
	}
	c := newController(client, opts)
	if err := os.MkdirAll(c.records.dir, 0o700); err != nil {
		return err
	}
	if k, err := newKernel(opts.bridge); err != nil {
		c.cannot = fmt.Sprintf("its kernel takes no such rules (nf_tables with maps and ct): %v", err)
		klog.Errorf("NetworkPolicies are not enforced on this node: %s", c.cannot)
	} else {
		c.enforcer = k
		klog.Infof("NetworkPolicies are enforced on node %s by the nftables table ip %s", opts.nodeName, tableName)
	}
	listener, err := listen(filepath.Join(opts.stateDir, socketName))
	if err != nil {
		return err
	}
	go answerRequests(ctx, listener, c.answer)
	return c.run(ctx)
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet(programName, flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of a user who may watch networkpolicies, pods and namespaces")
	flags.StringVar(&o.nodeName, "node-name", "", "this node's name")
	flags.StringVar(&o.stateDir, "state-dir", "/run/kagent/network-policies", "folder of the socket, and of what is kept while the host is up")
	flags.StringVar(&o.bridge, "bridge", "", "device of this node's pods, if all of them are on one")
	flags.BoolVar(&o.remove, "remove", false, "remove all rules, and the folder, and exit")
	var logging flag.FlagSet
	klog.InitFlags(&logging)
	verbosity := logging.Lookup("v")
	flags.Var(verbosity.Value, verbosity.Name, verbosity.Usage)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errFlags, err)
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", errFlags, flags.Arg(0))
	case !o.remove && o.kubeconfig == "":
		return o, fmt.Errorf("%w: --kubeconfig is missing", errFlags)
	case !o.remove && o.nodeName == "":
		return o, fmt.Errorf("%w: --node-name is missing", errFlags)
	}
	return o, nil
}
