package networkpolicies

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// large is a node with pods of ten apps in ten namespaces, and policies of
// the usual kinds for them.
func large(t *testing.T, pods, policies int) inputs {
	t.Helper()
	in := inputs{nodeName: "n1"}
	for i := range pods {
		address := fmt.Sprintf("10.42.%d.%d", i/250, i%250+2)
		one := object(fmt.Sprintf("ns-%d", i%10), fmt.Sprintf("pod-%d", i), fmt.Sprintf("app-%d", i/10%10), "n1", address)
		in.pods = append(in.pods, one)
	}
	for i := range policies {
		one := cluster(t, fmt.Sprintf("{podSelector: {matchLabels: {app: app-%d}}, policyTypes: [Ingress, Egress], "+
			"ingress: [{from: [{podSelector: {matchLabels: {app: app-%d}}}], ports: [{port: 80}, {port: 443}]}], "+
			"egress: [{to: [{podSelector: {}}]}, {to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]}", i/10%10, i%7)).policies[0]
		one.Namespace, one.Name = fmt.Sprintf("ns-%d", i%10), fmt.Sprintf("policy-%d", i)
		in.policies = append(in.policies, one)
	}
	return in
}

// fakeKernel keeps what was written.
type fakeKernel struct {
	mutex   sync.Mutex
	written ruleset
	changed bool
}

func (k *fakeKernel) apply(wanted ruleset) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.written, k.changed = wanted, false
	return nil
}

func (k *fakeKernel) isIntact() (bool, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return !k.changed, nil
}

func (k *fakeKernel) text() string {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.written.text()
}

// started is a controller of n1 with an API that has these objects.
func started(t *testing.T, cannot string, objects ...runtime.Object) (*controller, *fakeKernel, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(objects...)
	c, kernel := run(t, cannot, client)
	eventually(t, "ready", func() bool { return c.readiness() == nil })
	return c, kernel, client
}

func run(t *testing.T, cannot string, client kubernetes.Interface) (*controller, *fakeKernel) {
	t.Helper()
	c := newController(client, options{nodeName: "n1", stateDir: t.TempDir()})
	kernel := &fakeKernel{}
	if c.cannot = cannot; cannot == "" {
		c.enforcer = kernel
	}
	if err := os.MkdirAll(c.records.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c, kernel
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s after 10 s", what)
		}
	}
}

func policyOf(t *testing.T, text string) *networkingv1.NetworkPolicy {
	t.Helper()
	return cluster(t, text).policies[0]
}

func TestPodsAreWatchedWhileThereIsAPolicy(t *testing.T) {
	c, kernel, client := started(t, "", object("default", "web", "web", "n1", web))
	isWatched := func() bool {
		for _, action := range client.Actions() {
			if action.Matches("watch", "pods") {
				return true
			}
		}
		return false
	}
	if isWatched() {
		t.Error("pods are watched without a policy")
	}
	policies := client.NetworkingV1().NetworkPolicies("default")
	if _, err := policies.Create(t.Context(), policyOf(t, "{podSelector: {}}"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "isolated", func() bool { return strings.Contains(kernel.text(), "chain pod/default/web/ingress") })
	if _, err := os.Stat(c.marker); err != nil || !isWatched() {
		t.Error(err)
	}
	if err := policies.Delete(t.Context(), "p0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "free", func() bool { return kernel.text() == "" })
	eventually(t, "without a marker", func() bool { _, err := os.Stat(c.marker); return os.IsNotExist(err) })
}

func TestANewPodWaitsForItsRules(t *testing.T) {
	c, kernel, client := started(t, "", policyOf(t, "{podSelector: {matchLabels: {app: web}}}"))
	added := make(chan error)
	go func() { added <- c.answer(t.Context(), request{Add: ref(recordOf("default", "web", "uid-web", web))}) }()
	select {
	case err := <-added:
		t.Fatalf("it did not wait until the API has shown the pod: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), object("default", "web", "web", "n1", ""), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(kernel.text(), web+" pod/default/web/ingress") {
		t.Error(kernel.text())
	}
}

func ref[T any](value T) *T { return &value }

func TestAPodOfANamespaceWithoutPoliciesNeedNotBeShown(t *testing.T) {
	c, _, _ := started(t, "", policyOf(t, "{podSelector: {}}"))
	began := time.Now()
	if err := c.answer(t.Context(), request{Add: ref(recordOf("free", "x", "uid", web))}); err != nil || time.Since(began) > time.Second {
		t.Error(err, time.Since(began))
	}
}

func TestAPodThatTheAPIDoesNotShowStartsClosed(t *testing.T) {
	c, kernel, _ := started(t, "", policyOf(t, "{podSelector: {matchLabels: {app: other}}}"))
	if err := c.answer(t.Context(), request{Add: ref(recordOf("default", "x", "uid", web))}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(kernel.text(), web+" unknown/"+web+"/egress") {
		t.Error(kernel.text())
	}
}

func TestRecordsOutliveTheProcess(t *testing.T) {
	c, _, _ := started(t, "")
	one := recordOf("default", "x", "uid", web)
	one.ContainerID = "c1"
	if err := c.answer(t.Context(), request{Add: &one}); err != nil {
		t.Fatal(err)
	}
	if kept, err := c.records.all(); err != nil || len(kept) != 1 || kept[0] != one {
		t.Error(kept, err)
	}
	// The address is another pod's before the end of the first is told.
	next := one
	next.Name, next.ContainerID = "y", "c2"
	for _, asked := range []request{{Add: &next}, {Remove: &record{ContainerID: "c1"}}} {
		if err := c.answer(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := c.records.all(); err != nil || len(kept) != 1 || kept[0] != next {
		t.Error(kept, err)
	}
	if err := c.answer(t.Context(), request{Remove: &record{ContainerID: "c2"}}); err != nil {
		t.Fatal(err)
	}
	if kept, err := c.records.all(); err != nil || len(kept) != 0 {
		t.Error(kept, err)
	}
}

func TestChangedRulesAreWrittenAgain(t *testing.T) {
	_, kernel, _ := started(t, "", policyOf(t, "{podSelector: {}}"), object("default", "web", "web", "n1", web))
	eventually(t, "isolated", func() bool { return kernel.text() != "" })
	kernel.mutex.Lock()
	kernel.written, kernel.changed = ruleset{}, true
	kernel.mutex.Unlock()
	eventually(t, "isolated again", func() bool { return kernel.text() != "" })
}

func TestAKernelThatCannotIsSaid(t *testing.T) {
	c, _, client := started(t, "its kernel cannot", policyOf(t, "{podSelector: {}}"))
	if err := c.answer(t.Context(), request{Add: ref(recordOf("default", "x", "uid", web))}); err != nil {
		t.Errorf("a pod does not start: %v", err)
	}
	if err := c.answer(t.Context(), request{Ask: "live"}); err == nil || !strings.Contains(err.Error(), "its kernel cannot") {
		t.Error(err)
	}
	eventually(t, "told at the policy", func() bool {
		events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		return err == nil && len(events.Items) == 1 && events.Items[0].Reason == "NotEnforced" &&
			strings.Contains(events.Items[0].Message, "Node n1 does not enforce this policy: its kernel cannot")
	})
}

// refusing has the API refuse lists of a resource while it is on.
func refusing(client *fake.Clientset, resource string, isOn *atomic.Bool) {
	client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		if !isOn.Load() {
			return false, nil, nil
		}
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", nil)
	})
}

func TestAClusterThatEnforcesNoneIsToldByItsRights(t *testing.T) {
	client := fake.NewClientset(policyOf(t, "{podSelector: {}}"), object("default", "web", "web", "n1", web))
	var isOff, isStarting atomic.Bool
	isOff.Store(true)
	isStarting.Store(true)
	refusing(client, "namespaces", &isOff)
	refusing(client, "networkpolicies", &isStarting)
	c, kernel := run(t, "", client)
	time.Sleep(200 * time.Millisecond)
	if c.readiness() == nil {
		t.Error("a server that refuses everything is not taken for one that starts")
	}
	isStarting.Store(false)
	eventually(t, "ready", func() bool { return c.readiness() == nil })
	if err := c.answer(t.Context(), request{Add: ref(recordOf("default", "x", "uid", web))}); err != nil || kernel.text() != "" {
		t.Errorf("a pod waits, or is closed: %v\n%s", err, kernel.text())
	}
}

func TestTheSocketAnswersALineWithALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go answerRequests(ctx, listener, func(_ context.Context, asked request) error {
		if asked.Ask == "ready" {
			return nil
		}
		return fmt.Errorf("no %s", asked.Ask)
	})
	for line, want := range map[string]string{
		`{"ask":"ready"}`: "{}\n",
		`{"ask":"live"}`:  "{\"error\":\"no live\"}\n",
		`{`:               "{\"error\":\"the request is not understood: unexpected end of JSON input\"}\n",
	} {
		connection, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(connection, line)
		answer := make([]byte, 1000)
		length, err := connection.Read(answer)
		if err != nil || string(answer[:length]) != want {
			t.Errorf("%s: %q, %v", line, answer[:length], err)
		}
		connection.Close()
	}
}
