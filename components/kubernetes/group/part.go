package group

import (
	"context"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	cliflag "k8s.io/component-base/cli/flag"
)

// Program is what a part runs, as its own main would. It asks
// SetupSignalContext of k8s.io/apiserver when it shall end, if it can, and
// returns then, or with what it failed with.
type Program func(args []string) error

type part struct {
	name     string
	program  Program
	log      *os.File
	labelled context.Context

	ctx    context.Context
	cancel context.CancelFunc
	// hearsStop is set when the program has asked for the context that ends
	// with SIGTERM. One that never asks ends with the process alone.
	hearsStop atomic.Bool
	isStarted atomic.Bool
	isStopped atomic.Bool
	ended     chan struct{}
}

func newPart(name string, program Program, log *os.File) *part {
	p := &part{name: name, program: program, log: log, ended: make(chan struct{})}
	p.label()
	p.ctx, p.cancel = context.WithCancel(p.labelled)
	return p
}

// start runs the program in a goroutine of its own.
func (p *part) start(args []string, onEnd func(*part, error)) {
	p.isStarted.Store(true)
	go func() {
		pprof.SetGoroutineLabels(p.labelled)
		err := p.program(args)
		close(p.ended)
		onEnd(p, err)
	}()
}

// constructing is held while a command is made and reads its flags: both
// change variables that all of upstream's programs share.
var constructing sync.Mutex

// Command makes a Program of one of upstream's command constructors.
func Command(newCommand func() *cobra.Command) Program {
	return func(args []string) error {
		constructing.Lock()
		var once sync.Once
		done := func() { once.Do(constructing.Unlock) }
		defer done()
		cmd := newCommand()
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			done()
			return run(cmd, args)
		}
		// As upstream's cli.Run, which would also set logging up anew.
		cmd.SetGlobalNormalizationFunc(cliflag.WordSepNormalizeFunc)
		cmd.SilenceErrors = true
		cmd.SilenceUsage = true
		cmd.SetArgs(args)
		return cmd.Execute()
	}
}

// signalContext is what upstream's programs get in place of a context that
// ends with SIGTERM.
func signalContext() context.Context {
	p := current()
	if p == nil {
		return context.Background()
	}
	p.hearsStop.Store(true)
	return p.ctx
}
