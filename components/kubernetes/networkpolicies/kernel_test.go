package networkpolicies

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNetwork has the test in a network namespace of its own, which is gone
// with its thread.
func inNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("rules are written to a kernel by root alone: %v", err)
	}
}

func newTestKernel(t *testing.T) *kernel {
	t.Helper()
	inNetwork(t)
	k, err := newKernel("cni0")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func nft(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("nft", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}

const everything = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], " +
	"ingress: [{from: [{podSelector: {matchLabels: {app: client}}}, {ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.8/29]}}], ports: [{port: 80}, {port: 90, endPort: 99}, {protocol: UDP}, {port: http}]}], " +
	"egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}, {to: [{namespaceSelector: {}}], ports: [{port: sql}, {protocol: SCTP, port: 7}]}]}"

func TestTheKernelHasTheRules(t *testing.T) {
	k := newTestKernel(t)
	if err := k.apply(compile(cluster(t, everything))); err != nil {
		t.Fatal(err)
	}
	shown := nft(t, "list", "table", "ip", tableName)
	for _, want := range []string{
		"type filter hook forward priority filter - 2",
		"type filter hook forward priority filter - 1",
		"type filter hook input priority filter - 2",
		"ct original ip saddr vmap @egress-pods",
		"ct reply ip saddr vmap @ingress-pods",
		"ct state invalid,untracked ip saddr vmap @egress-pods",
		"10.42.0.10 : goto pod/default/web/ingress",
		"chain policy/default/p0/egress",
		"ct protocol tcp ct reply proto-src 80 accept",
		"ct reply proto-src 90-99 accept",
		"ct reply proto-src 8080 accept",
		"192.0.2.0/29, 192.0.2.16-192.0.2.255",
		"ct original ip saddr 10.42.0.10 accept",
		"counter packets 0 bytes 0 drop",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
	if shown := nft(t, "list", "table", "ip6", tableName); strings.Count(shown, `iifname "cni0"`) != 2 {
		t.Error(shown)
	}
}

func TestOnlyTheDifferenceIsWritten(t *testing.T) {
	k := newTestKernel(t)
	steps := []string{
		"{podSelector: {}}",
		everything,
		everything + "\n---\n{podSelector: {}}",
		"{podSelector: {matchLabels: {app: client}}, egress: [{ports: [{port: sql}]}]}",
		"{podSelector: {matchLabels: {app: nobody}}}",
		everything,
	}
	for _, policies := range steps {
		in := cluster(t, policies)
		for _, change := range []func(){
			func() {},
			func() { in.pods[1].Status.PodIP = "10.42.0.12" },
			func() { in.pods = append(in.pods, object("default", "client-2", "client", "n1", "10.42.0.13")) },
			func() { in.pods = in.pods[1:] },
		} {
			change()
			wanted := compile(in)
			if err := k.apply(wanted); err != nil {
				t.Fatal(err)
			}
			written := list(t)
			k.isComplete = false
			if err := k.apply(wanted); err != nil {
				t.Fatal(err)
			}
			if anew := list(t); written != anew {
				t.Fatalf("%s: step by step there is\n%s\nand anew\n%s", policies, written, anew)
			}
			if intact, err := k.isIntact(); !intact || err != nil {
				t.Fatalf("what is written is not found: %v", err)
			}
		}
	}
	if err := k.apply(ruleset{}); err != nil {
		t.Fatal(err)
	}
	if left := nft(t, "list", "ruleset"); left != "" {
		t.Error(left)
	}
}

// list is the table in an order of its own: chains and sets stand in the order
// in which they were made, elements in any.
func list(t *testing.T) string {
	t.Helper()
	replies, err := exec.Command("nft", "-s", "list", "ruleset").Output()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(replies), func(r rune) bool { return r == '\n' || r == '\t' || r == ',' || r == ' ' })
	counts := map[string]int{}
	for _, word := range words {
		counts[word]++
	}
	var out strings.Builder
	for _, word := range sortedKeys(counts) {
		out.WriteString(word)
		out.WriteString(strings.Repeat(" *", counts[word]))
		out.WriteString("\n")
	}
	return out.String()
}

func TestWhatSomebodyChangesIsSeenAndWrittenAgain(t *testing.T) {
	k := newTestKernel(t)
	wanted := compile(cluster(t, everything))
	if err := k.apply(wanted); err != nil {
		t.Fatal(err)
	}
	written := list(t)
	for _, change := range [][]string{
		{"flush", "ruleset"},
		{"flush", "table", "ip", tableName},
		{"delete", "table", "ip6", tableName},
		{"flush", "chain", "ip", tableName, "pod/default/web/ingress"},
		{"add", "element", "ip", tableName, "egress-pods", "{ 10.42.0.99 : accept }"},
		{"delete", "element", "ip", tableName, "ingress-pods", "{ 10.42.0.10 }"},
		{"insert", "rule", "ip", tableName, "ingress", "accept"},
		{"add", "table", "ip", tableName, "{ flags dormant; }"},
	} {
		nft(t, change...)
		if intact, err := k.isIntact(); intact || err != nil {
			t.Errorf("nft %v is not seen: %v", change, err)
			continue
		}
		if err := k.apply(wanted); err != nil {
			t.Fatal(err)
		}
		if again := list(t); again != written {
			t.Errorf("after nft %v there is\n%s", change, again)
		}
	}
	nft(t, "add", "table", "ip", "of-somebody-else")
	if intact, err := k.isIntact(); !intact || err != nil {
		t.Errorf("another table is taken for a change of ours: %v", err)
	}
}

func TestWhatAnEarlierLifeHasLeftIsReplacedAndRemoved(t *testing.T) {
	k := newTestKernel(t)
	if err := k.apply(compile(cluster(t, everything))); err != nil {
		t.Fatal(err)
	}
	next, err := newKernel("cni0")
	if err != nil {
		t.Fatal(err)
	}
	if err := next.apply(compile(cluster(t, "{podSelector: {}}"))); err != nil {
		t.Fatal(err)
	}
	if shown := nft(t, "list", "ruleset"); strings.Contains(shown, "pods-") || !strings.Contains(shown, "pod/default/client/ingress") {
		t.Error(shown)
	}
	nft(t, "add", "table", "ip", "of-somebody-else")
	for range 2 {
		if err := removeTables(); err != nil {
			t.Fatal(err)
		}
		if left := nft(t, "list", "tables"); left != "table ip of-somebody-else\n" {
			t.Error(left)
		}
	}
}

func TestAThousandPodsAndTwoHundredPolicies(t *testing.T) {
	k := newTestKernel(t)
	in := large(t, 1000, 200)
	took := func(what string, work func()) {
		began := time.Now()
		work()
		t.Logf("%s: %s", what, time.Since(began))
	}
	var wanted ruleset
	write := func() {
		if err := k.apply(wanted); err != nil {
			t.Fatal(err)
		}
	}
	took("worked out", func() { wanted = compile(in) })
	took("written", write)
	took("looked at", func() {
		if intact, err := k.isIntact(); !intact || err != nil {
			t.Errorf("what is written is not found: %v", err)
		}
	})
	in.pods[0].Status.PodIP = "10.42.9.9"
	took("worked out after a change", func() { wanted = compile(in) })
	took("the change written", write)
	chains, rules, elements := wanted.count()
	t.Logf("%d chains, %d rules, %d elements", chains, rules, elements)
}
