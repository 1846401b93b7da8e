// Package helm is helm's own command, and one program more: helm-release
// carries out one thing about one release by helm's SDK, and ends. kagent's
// controller of HelmCharts starts it for each installation, upgrade and
// removal, so that nothing runs between them and a kill at any moment leaves
// the next run to put right what is half done.
package helm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/cli"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

// fieldManager owns what is applied, as with helm's own command: who goes on
// by hand meets no conflict.
const fieldManager = "helm"

// Run is helm's own main.
func Run() int {
	kube.ManagedFieldsManager = fieldManager
	command, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil {
		slog.Warn("command failed", slog.Any("error", err))
		return 1
	}
	if err := command.Execute(); err != nil {
		var withCode helmcmd.CommandError
		if errors.As(err, &withCode) {
			return withCode.ExitCode
		}
		return 1
	}
	return 0
}

// RunRelease reads a request from stdin and writes reports to stdout.
func RunRelease() int {
	dieWithParent()
	kube.ManagedFieldsManager = fieldManager
	lines := json.NewEncoder(os.Stdout)
	tell := func(line report) { _ = lines.Encode(line) }
	result, err := carryOut(context.Background(), os.Stdin, tell)
	if err != nil {
		tell(failureReport(err))
		return 1
	}
	tell(result)
	return 0
}

func carryOut(ctx context.Context, from io.Reader, tell func(report)) (report, error) {
	want, err := readRequest(from)
	if err != nil {
		return report{}, err
	}
	dir, err := os.MkdirTemp(want.WorkDir, "release-")
	if err != nil {
		return report{}, err
	}
	defer os.RemoveAll(dir)
	settings, err := settingsIn(dir, want.Namespace)
	if err != nil {
		return report{}, err
	}
	kept := &problems{}
	config := action.NewConfiguration()
	config.SetLogger(kept)
	if err := config.Init(settings.RESTClientGetter(), want.Namespace, "secret"); err != nil {
		return report{}, err
	}
	config.Releases.MaxHistory = maxHistory
	one := &operation{want: want, config: config, settings: settings, dir: dir, problems: kept, tell: tell}
	switch want.Action {
	case "apply":
		return one.apply(ctx)
	case "remove":
		return one.remove(ctx)
	default:
		return report{}, fmt.Errorf("there is no action %q", want.Action)
	}
}

// settingsIn has everything that helm and its client keep on disk in dir.
func settingsIn(dir, namespace string) (*cli.EnvSettings, error) {
	for name, folder := range map[string]string{
		"HOME":             "",
		"HELM_CACHE_HOME":  "cache",
		"HELM_CONFIG_HOME": "config",
		"HELM_DATA_HOME":   "data",
		"KUBECACHEDIR":     "kube",
	} {
		if err := os.Setenv(name, filepath.Join(dir, folder)); err != nil {
			return nil, err
		}
	}
	settings := cli.New()
	settings.SetNamespace(namespace)
	return settings, nil
}

func failureReport(err error) report {
	var known *failure
	if errors.As(err, &known) {
		return report{Report: "failed", Reason: known.reason, Message: err.Error(), Retry: known.retry}
	}
	return report{Report: "failed", Reason: "Failed", Message: err.Error(), Retry: true}
}

// dieWithParent lets the kernel end this process with kagent, also where the
// host has no setpriv that says so before.
func dieWithParent() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
}
