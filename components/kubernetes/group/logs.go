package group

import (
	"fmt"
	"io"
	"os"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
)

func init() {
	utilruntime.Must(logsapi.AddFeatureGates(utilfeature.DefaultMutableFeatureGate)) // as each of upstream's programs
}

// output writes a line to the log of the part whose goroutine says it, and to
// the process's own where it is nobody's.
type output struct{ own io.Writer }

func (o output) Write(line []byte) (int, error) {
	if p := current(); p != nil {
		return p.log.Write(line)
	}
	return o.own.Write(line)
}

// setUpLogging does once what each program does for itself. The parts do it
// again with the same settings, which changes nothing: one with other settings
// is not run in a group.
func setUpLogging() error {
	logs.InitLogs()
	logsapi.ErrorStream = output{own: os.Stderr}
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	if err := logsapi.ValidateAndApply(logsapi.NewLoggingConfiguration(), utilfeature.DefaultFeatureGate); err != nil {
		return fmt.Errorf("logging: %w", err)
	}
	return nil
}

// tellExits has each exit by klog say whose it is.
func (g *group) tellExits() {
	klog.OsExit = func(code int) {
		if p := current(); p != nil {
			g.report(report{Part: p.name, Failed: fmt.Sprintf("exit code %d", code)})
		}
		os.Exit(code)
	}
}
