package group

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"
)

// twoParts makes the parts of a process, each with a log in a file.
func twoParts(t *testing.T) (first, second *part) {
	t.Helper()
	dir := t.TempDir()
	named := func(name string) *part {
		log, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return newPart(name, nil, log)
	}
	return named("first"), named("second")
}

// runs has work done by a goroutine that one of the part's has started.
func runs(t *testing.T, p *part, work func()) {
	t.Helper()
	p.isStarted.Store(true)
	done := make(chan struct{})
	go func() {
		pprof.SetGoroutineLabels(p.labelled)
		go func() {
			work()
			close(done)
		}()
	}()
	<-done
}

func read(t *testing.T, p *part) string {
	t.Helper()
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestALineGoesToTheLogOfThePartThatSaysIt(t *testing.T) {
	first, second := twoParts(t)
	var own bytes.Buffer
	log := output{own: &own}
	say := func(text string) { _, _ = log.Write([]byte(text)) }
	runs(t, first, func() { say("one") })
	runs(t, second, func() { say("two") })
	say("nobody's")
	if got := []string{read(t, first), read(t, second), own.String()}; strings.Join(got, ",") != "one,two,nobody's" {
		t.Errorf("%q", got)
	}
}

func TestTheTraceOfACrashNamesThePart(t *testing.T) {
	_, second := twoParts(t)
	t.Setenv("GODEBUG", "tracebacklabels=1")
	runs(t, second, func() {
		if trace := string(debug.Stack()); !strings.Contains(trace, `labels:{"part": "second"}`) {
			t.Error(trace)
		}
	})
}

func TestAPartIsStoppedByTheContextItAskedFor(t *testing.T) {
	first, second := twoParts(t)
	for _, p := range []*part{first, second} {
		started := make(chan struct{})
		p.program = func([]string) error {
			ctx := signalContext()
			close(started)
			<-ctx.Done()
			return nil
		}
		p.start(nil, func(*part, error) {})
		<-started
	}
	first.cancel()
	<-first.ended
	select {
	case <-second.ended:
		t.Error("the other one has ended too")
	default:
	}
	second.cancel()
	<-second.ended
}

func TestEachPartServesWhatIsItsOwnAndNothingIsServedTwice(t *testing.T) {
	first, second := twoParts(t)
	loaded[second.name] = []string{"of_a_package_of_the_second"}
	shared := metrics.NewKubeRegistry()
	counter := func(name string) *metrics.Counter {
		return metrics.NewCounter(&metrics.CounterOpts{Name: name, Help: "x"})
	}
	shared.MustRegister(counter("of_a_package"), counter("of_a_package_of_the_second"))
	all := newAttributed(shared, []*part{first, second})
	runs(t, first, func() { all.MustRegister(counter("of_the_first")) })
	runs(t, second, func() { all.MustRegister(counter("of_the_second")) })
	runs(t, second, func() {
		all.RawMustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "raw", Help: "x"}))
	})
	again := all.Register(counter("of_the_second"))
	if again == nil {
		t.Error("what another part has registered can be registered again")
	}
	for p, want := range map[*part]string{first: "of_a_package of_the_first", second: "of_a_package_of_the_second of_the_second raw"} {
		runs(t, p, func() {
			families, err := all.Gather()
			var names []string
			for _, family := range families {
				names = append(names, family.GetName())
			}
			if got := strings.Join(names, " "); err != nil || got != want {
				t.Errorf("%s serves %q: %v", p.name, got, err)
			}
		})
	}
}
