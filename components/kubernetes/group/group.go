// Package group runs several of Kubernetes' programs as parts of one process,
// which needs a good deal less memory and fewer wake-ups than a process each.
//
//	kagent ──stdin──▶ {"start":"kube-scheduler","args":[…]}, {"stop":"kube-scheduler"}
//	kagent ◀──fd 3─── {"part":"kube-scheduler","stopped":true}, {"part":…,"failed":"why"}
//	kagent ◀──fd 4…── each part's log, in the order of the command line; stdout and stderr are the process's own
//
// Each part is upstream's command, called in a goroutine that is labelled with
// its name; what it starts inherits the label, and so a log line, a metric and
// a crash can be told whose they are. A part that ends takes the process with
// it: nobody knows what else it has left behind.
package group

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/klog/v2"
)

const (
	reportFile   = 3
	firstLogFile = 4

	// stopTime is what parts get, all but the first, before the first is told.
	stopTime = time.Second
)

type group struct {
	// parts are in the order of the command line: the first one is the one that
	// the others need, and is stopped last.
	parts []*part

	reports   *json.Encoder
	reporting sync.Mutex
	stopping  chan struct{}
}

// request is a line of stdin.
type request struct {
	Start string   `json:"start"`
	Args  []string `json:"args"`
	Stop  string   `json:"stop"`
}

// report is a line of fd 3.
type report struct {
	Part    string `json:"part"`
	Stopped bool   `json:"stopped,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

// Run is the process. names are its parts; those that are to run are named on
// stdin, each when it may start. It returns the exit code: 0 after a signal, 1
// when a part has ended, 2 for what it does not understand.
func Run(names []string, programs map[string]Program) int {
	g := &group{reports: json.NewEncoder(inherited(reportFile, "reports")), stopping: make(chan struct{})}
	for at, name := range names {
		program, ok := programs[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "%q cannot be part of a group\n", name)
			return 2
		}
		g.parts = append(g.parts, newPart(name, program, inherited(firstLogFile+at, name)))
	}
	if err := setUpLogging(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	// A crash shows whose goroutine it was.
	if err := os.Setenv("GODEBUG", "tracebacklabels=1"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	g.tellExits()
	genericapiserver.SignalContext = signalContext
	attributeMetrics(g.parts)
	exit := make(chan int)
	go func() { exit <- g.stopAtSignal() }()
	go func() { exit <- g.obey(os.Stdin) }()
	return <-exit
}

// inherited is a file that kagent has opened, for this process alone.
func inherited(fd int, name string) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

// obey does what kagent asks for, for as long as kagent is there.
func (g *group) obey(requests io.Reader) int {
	decoder := json.NewDecoder(requests)
	for {
		var r request
		if err := decoder.Decode(&r); err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, err)
				return 2
			}
			fmt.Fprintln(os.Stderr, "kagent is gone")
			return 1
		}
		switch p := g.part(r.Start + r.Stop); {
		case p == nil:
			fmt.Fprintf(os.Stderr, "no part has the name %q\n", r.Start+r.Stop)
			return 2
		case r.Stop != "":
			g.stop(p)
		case !p.isStarted.Load():
			p.start(r.Args, g.onEnd)
		}
	}
}

func (g *group) part(name string) *part {
	for _, p := range g.parts {
		if p.name == name {
			return p
		}
	}
	return nil
}

// stop ends a part's work as SIGTERM would; one that does not listen to
// signals goes with the process.
func (g *group) stop(p *part) {
	p.isStopped.Store(true)
	if p.isStarted.Load() && p.hearsStop.Load() {
		p.cancel() // onEnd reports
		return
	}
	g.report(report{Part: p.name, Stopped: true})
}

// onEnd is told of every part that has returned.
func (g *group) onEnd(p *part, err error) {
	if g.isStopping() {
		return // the process's end says it
	}
	if p.isStopped.Load() {
		g.report(report{Part: p.name, Stopped: true})
		return
	}
	failed := "it has returned"
	if err != nil {
		failed = err.Error()
	}
	fmt.Fprintf(p.log, "Error: %s\n", failed)
	g.report(report{Part: p.name, Failed: failed})
	klog.Flush()
	os.Exit(1)
}

// stopAtSignal waits for SIGTERM and lets all parts end: the first one last,
// since the others work through it. kagent has the last word on how long that
// may take.
func (g *group) stopAtSignal() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	close(g.stopping)
	tooLong := time.After(stopTime)
	for at := len(g.parts) - 1; at >= 0; at-- {
		p := g.parts[at]
		if !p.isStarted.Load() || !p.hearsStop.Load() {
			continue
		}
		p.cancel()
		if at == 0 {
			<-p.ended
			break
		}
		select {
		case <-p.ended:
		case <-tooLong:
		}
	}
	klog.Flush()
	return 0
}

func (g *group) isStopping() bool {
	select {
	case <-g.stopping:
		return true
	default:
		return false
	}
}

func (g *group) report(r report) {
	g.reporting.Lock()
	defer g.reporting.Unlock()
	_ = g.reports.Encode(r) // who does not listen has its reasons
}
