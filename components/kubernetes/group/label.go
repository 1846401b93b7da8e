package group

import (
	"context"
	"runtime/pprof"
	"unsafe"
)

// labelKey is what a goroutine of a part is labelled with: profiles and the
// traces of a crash show it.
const labelKey = "part"

// Upstream keeps a goroutine's labels for profiles alone, but lets them be
// read by this name (the Go project's issue 67401).
//
//go:linkname runtimeLabels runtime/pprof.runtime_getProfLabel
func runtimeLabels() unsafe.Pointer

// byLabel has each part by the address of its label. It is complete before
// the first part starts, and only read from then on.
var byLabel = map[unsafe.Pointer]*part{}

// label makes the context that labels a part's goroutines. Every goroutine
// inherits the label of the one that has started it.
func (p *part) label() {
	p.labelled = pprof.WithLabels(context.Background(), pprof.Labels(labelKey, p.name))
	address := make(chan unsafe.Pointer)
	go func() {
		pprof.SetGoroutineLabels(p.labelled)
		address <- runtimeLabels()
	}()
	byLabel[<-address] = p
}

// current returns the part whose goroutine calls, or nil for one that belongs
// to the process: what was started before any part, timers, finalizers.
func current() *part {
	return byLabel[runtimeLabels()]
}
