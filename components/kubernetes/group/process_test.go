package group

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
)

// A test's process is this test's executable, with parts of the test's own.
const asProcess = "KAGENT_TEST_GROUP"

func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		os.Exit(Run([]string{"first", "second"}, map[string]Program{"first": program, "second": program}))
	}
	os.Exit(m.Run())
}

// program sets itself up as upstream's programs do, says so, and does what it
// is told.
func program(args []string) error {
	ctx := genericapiserver.SetupSignalContext()
	logs.InitLogs()
	if err := logsapi.ValidateAndApply(logsapi.NewLoggingConfiguration(), utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	mine := metrics.NewCounter(&metrics.CounterOpts{Name: "of_" + current().name, Help: "x"})
	legacyregistry.MustRegister(mine)
	klog.FromContext(klog.NewContext(ctx, klog.LoggerWithName(klog.Background(), "named"))).Info("it runs", "what", args[0])
	switch args[0] {
	case "fail":
		return errors.New("the port is taken")
	case "exit":
		klog.ErrorS(nil, "no way on")
		klog.FlushAndExit(klog.ExitFlushTimeout, 3)
	case "panic":
		go func() { panic("boom") }()
	case "metrics":
		families, err := legacyregistry.DefaultGatherer.Gather()
		for _, family := range families {
			if strings.HasPrefix(family.GetName(), "of_") || family.GetName() == "go_goroutines" {
				klog.InfoS("serves", "family", family.GetName(), "err", err)
			}
		}
	}
	<-ctx.Done()
	return nil
}

type process struct {
	*exec.Cmd
	stdin  io.WriteCloser
	pipes  map[string]*bufio.Reader
	stderr *strings.Builder
}

func startProcess(t *testing.T) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), pipes: map[string]*bufio.Reader{}, stderr: &strings.Builder{}}
	p.Env = append(os.Environ(), asProcess+"=1")
	p.Stderr = p.stderr
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	for _, name := range []string{"reports", "first", "second"} {
		ours, its, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ours.Close() })
		if err := ours.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		p.ExtraFiles = append(p.ExtraFiles, its)
		p.pipes[name] = bufio.NewReader(ours)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	for _, its := range p.ExtraFiles {
		_ = its.Close()
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

func (p *process) tell(t *testing.T, request string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, request); err != nil {
		t.Fatal(err)
	}
}

// expect reads the next line of a pipe, which is to have these words.
func (p *process) expect(t *testing.T, pipe, words string) {
	t.Helper()
	line, err := p.pipes[pipe].ReadString('\n')
	if err == nil && strings.Contains(line, words) {
		return
	}
	_ = p.Process.Kill()
	_ = p.Wait()
	t.Fatalf("%s has %q where %q was expected: %v\n%s", pipe, line, words, err, p.stderr)
}

func (p *process) expectExit(t *testing.T, code int) {
	t.Helper()
	_ = p.Wait()
	if got := p.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d where %d was expected: %s", got, code, p.stderr)
	}
}

// both has both parts running, the second of them to do something.
func both(t *testing.T, second string) *process {
	t.Helper()
	p := startProcess(t)
	p.tell(t, `{"start":"first","args":["run"]}`)
	p.expect(t, "first", `"it runs" logger="named" what="run"`)
	p.tell(t, fmt.Sprintf(`{"start":"second","args":[%q]}`, second))
	p.expect(t, "second", `"it runs" logger="named" what="`+second+`"`)
	return p
}

func TestAPartThatIsStoppedLeavesTheOthersRunningUntilASignal(t *testing.T) {
	p := both(t, "run")
	p.tell(t, `{"stop":"second"}`)
	p.expect(t, "reports", `{"part":"second","stopped":true}`)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.expectExit(t, 0)
}

func TestAPartThatReturnsEndsTheProcessAndIsNamed(t *testing.T) {
	p := both(t, "fail")
	p.expect(t, "second", "Error: the port is taken")
	p.expect(t, "reports", `{"part":"second","failed":"the port is taken"}`)
	p.expectExit(t, 1)
}

func TestAPartThatExitsIsNamed(t *testing.T) {
	p := both(t, "exit")
	p.expect(t, "second", `"no way on"`)
	p.expect(t, "reports", `{"part":"second","failed":"exit code 3"}`)
	p.expectExit(t, 3)
}

func TestACrashIsOfThePartThatItsTraceNames(t *testing.T) {
	p := both(t, "panic")
	p.expectExit(t, 2)
	want := `panic: boom` + "\n\n"
	text := p.stderr.String()
	at := strings.Index(text, want)
	if at < 0 || !strings.HasPrefix(text[at+len(want):], "goroutine ") ||
		!strings.Contains(strings.SplitN(text[at+len(want):], "\n", 2)[0], `labels:{"part": "second"}`) {
		t.Error(text)
	}
}

func TestMetricsAreThoseOfThePartThatIsAsked(t *testing.T) {
	second := both(t, "metrics")
	second.expect(t, "second", `family="of_second"`)
	first := startProcess(t)
	first.tell(t, `{"start":"first","args":["metrics"]}`)
	first.expect(t, "first", "it runs")
	first.expect(t, "first", `family="go_goroutines"`)
	first.expect(t, "first", `family="of_first"`)
}

func TestItEndsWhenKagentIsGone(t *testing.T) {
	p := both(t, "run")
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	p.expectExit(t, 1)
}
