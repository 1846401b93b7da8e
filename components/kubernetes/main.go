// Hyperkube is every Kubernetes program kagent runs, as one executable.
//
// The name it is called by chooses the program, as in busybox: kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl,
// metrics-server, flanneld, network-policies, helm or helm-release, each a link
// to this file. `hyperkube <name> args…` does the same without a link. One file
// is smaller than ten, and processes that run the same file share its pages in
// memory.
//
// kube-control-plane and kube-node run several of these programs as parts of
// one process; see package group.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	_ "time/tzdata" // CronJobs name time zones; a small box may have no zone files

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"kagent.sh/components/kubernetes/flanneld"
	"kagent.sh/components/kubernetes/group"
	"kagent.sh/components/kubernetes/helm"
	"kagent.sh/components/kubernetes/metricsserver"
	"kagent.sh/components/kubernetes/networkpolicies"
)

// programs maps a name to what runs it. A program returns its exit code.
var programs = map[string]func() int{
	"kube-apiserver":          run(func() *cobra.Command { return apiserver.NewAPIServerCommand() }),
	"kube-controller-manager": run(func() *cobra.Command { return controllermanager.NewControllerManagerCommand() }),
	"kube-scheduler":          run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              run(func() *cobra.Command { return proxy.NewProxyCommand() }),
	"kubelet":                 run(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"metrics-server":          run(func() *cobra.Command { return metricsserver.NewCommand() }),
	"kubectl":                 runKubectl,
	"flanneld":                flanneld.Run,
	"helm":                    helm.Run,
	"helm-release":            helm.RunRelease,
	"network-policies":        runNetworkPolicies,
	"kube-control-plane":      runGroup,
	"kube-node":               runGroup,
}

// parts maps a name to what runs it in a group.
var parts = map[string]group.Program{
	"kube-apiserver":          group.Command(func() *cobra.Command { return apiserver.NewAPIServerCommand() }),
	"kube-controller-manager": group.Command(func() *cobra.Command { return controllermanager.NewControllerManagerCommand() }),
	"kube-scheduler":          group.Command(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              group.Command(func() *cobra.Command { return proxy.NewProxyCommand() }),
	"kubelet":                 group.Command(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"metrics-server":          group.Command(func() *cobra.Command { return metricsserver.NewCommand() }),
	"flanneld": func(args []string) error {
		return flanneld.RunUntil(genericapiserver.SetupSignalContext(), args)
	},
	"network-policies": func(args []string) error {
		return networkpolicies.RunUntil(genericapiserver.SetupSignalContext(), args)
	},
}

// runGroup runs the programs that its arguments name, as parts of one process.
func runGroup() int { return group.Run(os.Args[1:], parts) }

// runNetworkPolicies ends with a signal.
func runNetworkPolicies() int {
	return networkpolicies.Run(genericapiserver.SetupSignalContext(), os.Args[1:])
}

// run makes a program of one of upstream's command constructors. The
// constructor is called late: it reads the command line.
func run(newCommand func() *cobra.Command) func() int {
	return func() int { return cli.Run(newCommand()) }
}

// runKubectl does what upstream's kubectl does: verbosity is read before the
// command is built, because building it may already log, and errors are
// printed in kubectl's own words.
func runKubectl() int {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}

func main() {
	settleAfterStart()
	name := filepath.Base(os.Args[0])
	if program, ok := programs[name]; ok {
		os.Exit(program())
	}
	if len(os.Args) > 1 {
		if program, ok := programs[os.Args[1]]; ok {
			os.Args = os.Args[1:] // programs find their arguments where their own main would
			os.Exit(program())
		}
	}
	fmt.Fprintf(os.Stderr, "usage: hyperkube <program> [arguments]\nprograms: %s\n", strings.Join(names(), ", "))
	os.Exit(2)
}

func names() []string {
	all := make([]string, 0, len(programs))
	for name := range programs {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
