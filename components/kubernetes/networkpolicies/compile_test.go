package networkpolicies

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// connection is what a test asks about.
type connection struct {
	from, to string
	protocol uint8
	port     uint16
}

// passes judges a connection as the kernel does: each direction's chain in turn.
func (r ruleset) passes(t *testing.T, c connection) bool {
	t.Helper()
	return r.accepts(t, egressChain, c) && r.accepts(t, ingressChain, c)
}

func (r ruleset) accepts(t *testing.T, chain string, c connection) bool {
	switch decided, ok := r.walk(t, chain, c); {
	case ok:
		return decided == accept
	default:
		return true // the end of a chain that the kernel calls
	}
}

func (r ruleset) walk(t *testing.T, chain string, c connection) (verdict, bool) {
	t.Helper()
	rules, ok := r.chains[chain]
	if !ok && len(r.chains) > 0 {
		t.Fatalf("there is no chain %s", chain)
	}
	from, to := netip.MustParseAddr(c.from), netip.MustParseAddr(c.to)
	for _, one := range rules {
		if one.isUntracked || !r.holds(one.from, from) || !r.holds(one.to, to) ||
			(one.protocol != 0 && one.protocol != c.protocol) ||
			(one.ports != portRange{} && (c.port < one.ports.first || c.port > one.ports.last)) {
			continue
		}
		next := ""
		switch one.verdict {
		case accept, drop:
			return one.verdict, true
		case jump:
			next = one.target
		case byFrom:
			next = r.sets[one.target].elements[keyOf(from)]
		case byTo:
			next = r.sets[one.target].elements[keyOf(to)]
		}
		if next == "" {
			continue
		}
		if decided, ok := r.walk(t, next, c); ok {
			return decided, true
		}
	}
	return accept, false
}

func (r ruleset) holds(wanted end, address netip.Addr) bool {
	switch {
	case wanted.set != "":
		one := r.sets[wanted.set]
		_, ok := one.elements[keyOf(address)]
		return ok || covers(one.ranges, address)
	case wanted.address.IsValid():
		return wanted.address == address
	}
	return true
}

const (
	web    = "10.42.0.10" // default, app=web, on this node
	client = "10.42.0.11" // default, app=client, on this node
	db     = "10.42.1.10" // default, app=db, on the other node
	guest  = "10.42.1.11" // other, app=client, on the other node
	world  = "192.0.2.7"
	node   = "10.77.0.11"
)

func object(namespace, name, app, nodeName, address string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{NodeName: nodeName},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address},
	}
}

// cluster is four pods on two nodes, with the policies of a text.
func cluster(t *testing.T, policies string) inputs {
	t.Helper()
	in := inputs{
		nodeName: "n1",
		namespaces: []*corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: map[string]string{"team": "a"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"team": "b"}}},
		},
		pods: []*corev1.Pod{
			object("default", "web", "web", "n1", web),
			object("default", "client", "client", "n1", client),
			object("default", "db", "db", "n2", db),
			object("other", "guest", "client", "n2", guest),
		},
	}
	in.pods[0].Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}}}
	in.pods[2].Spec.InitContainers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "sql", ContainerPort: 5432}}}}
	for at, text := range strings.Split(policies, "---") {
		policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p" + string(rune('0'+at))}}
		if err := yaml.UnmarshalStrict([]byte(text), &policy.Spec); err != nil {
			t.Fatal(err)
		}
		in.policies = append(in.policies, policy)
	}
	return in
}

func TestWhatPoliciesAllow(t *testing.T) {
	for name, test := range map[string]struct {
		policies     string
		passes, ends []connection
	}{
		"nothing comes in where a policy for ingress allows nothing; out is free": {
			"{podSelector: {}, policyTypes: [Ingress]}",
			[]connection{{web, db, tcp, 80}, {web, world, udp, 53}, {web, web, tcp, 80}, {guest, db, tcp, 1}},
			[]connection{{client, web, tcp, 80}, {world, web, udp, 1}, {guest, web, sctp, 1}, {world, client, 1, 0}},
		},
		"nothing goes out where a policy for egress allows nothing; in is free": {
			"{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}",
			[]connection{{world, web, tcp, 80}, {client, web, tcp, 80}, {web, web, tcp, 80}, {client, db, tcp, 80}},
			[]connection{{web, db, tcp, 80}, {web, client, tcp, 80}, {web, world, udp, 53}, {web, node, tcp, 10250}},
		},
		"an empty rule allows everything": {
			"{podSelector: {}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}",
			[]connection{{world, web, tcp, 80}, {web, world, 1, 0}},
			nil,
		},
		"policies add up": {
			"{podSelector: {}}\n---\n{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}" +
				"\n---\n{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 9}]}]}",
			[]connection{{client, web, tcp, 80}, {db, web, tcp, 9}, {db, client, tcp, 9}},
			[]connection{{db, web, tcp, 10}, {web, client, tcp, 80}, {guest, web, tcp, 80}},
		},
		"a selector of pods is one of the policy's namespace": {
			"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}",
			[]connection{{client, web, tcp, 80}},
			[]connection{{guest, web, tcp, 80}},
		},
		"a selector of namespaces is all their pods": {
			"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]}",
			[]connection{{guest, web, tcp, 80}},
			[]connection{{client, web, tcp, 80}, {world, web, tcp, 80}},
		},
		"both in one peer are the pods in those namespaces; two peers are either": {
			"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: client}}}]}]}" +
				"\n---\n{podSelector: {matchLabels: {app: client}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}, {podSelector: {matchLabels: {app: db}}}]}]}",
			[]connection{{client, web, tcp, 80}, {guest, web, tcp, 80}, {guest, client, tcp, 80}, {db, client, tcp, 80}},
			[]connection{{db, web, tcp, 80}, {web, client, tcp, 80}},
		},
		"a block without its exceptions": {
			"{podSelector: {matchLabels: {app: web}}, egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/29, 192.0.2.64/26]}}]}], policyTypes: [Egress]}",
			[]connection{{web, "192.0.2.8", tcp, 80}, {web, "192.0.2.63", 1, 0}, {web, "192.0.2.255", tcp, 1}},
			[]connection{{web, "192.0.2.7", tcp, 80}, {web, "192.0.2.64", tcp, 80}, {web, "192.0.2.127", tcp, 80}, {web, "192.0.3.0", tcp, 80}, {web, db, tcp, 80}},
		},
		"every address is a block too": {
			"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}",
			[]connection{{world, web, tcp, 80}, {client, web, tcp, 80}, {"255.255.255.255", web, udp, 1}},
			nil,
		},
		"a block of IPv6 allows nothing here": {
			"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]}",
			nil,
			[]connection{{world, web, tcp, 80}, {client, web, tcp, 80}},
		},
		"ports are TCP's unless said, and ranges have both ends": {
			"{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}, {port: 8000, endPort: 8002}, {protocol: UDP, port: 53}, {protocol: SCTP}]}]}",
			[]connection{{world, web, tcp, 80}, {world, web, tcp, 8000}, {world, web, tcp, 8002}, {world, web, udp, 53}, {world, web, sctp, 9}},
			[]connection{{world, web, tcp, 81}, {world, web, tcp, 7999}, {world, web, tcp, 8003}, {world, web, tcp, 53}, {world, web, udp, 80}, {world, web, 1, 0}},
		},
		"the name of a port is the pod's that is reached": {
			"{podSelector: {}, ingress: [{ports: [{port: http}]}], egress: [{to: [{podSelector: {}}], ports: [{port: sql}]}], policyTypes: [Ingress, Egress]}",
			[]connection{{world, web, tcp, 8080}, {web, db, tcp, 5432}, {client, db, tcp, 5432}},
			[]connection{{world, web, tcp, 5432}, {world, client, tcp, 8080}, {web, db, tcp, 8080}, {client, web, tcp, 8080}, {world, web, udp, 8080}},
		},
		"the name of a port with everybody, and with a block, is that of any pod there": {
			"{podSelector: {matchLabels: {app: web}}, egress: [{ports: [{port: sql}]}], policyTypes: [Egress]}" +
				"\n---\n{podSelector: {matchLabels: {app: client}}, egress: [{to: [{ipBlock: {cidr: 10.42.1.0/24}}], ports: [{port: sql}]}], policyTypes: [Egress]}",
			[]connection{{web, db, tcp, 5432}, {client, db, tcp, 5432}},
			[]connection{{web, guest, tcp, 5432}, {web, world, tcp, 5432}, {client, world, tcp, 5432}},
		},
		"rules for egress without a type isolate for egress": {
			"{podSelector: {matchLabels: {app: client}}, egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}",
			[]connection{{client, db, tcp, 80}},
			[]connection{{client, web, tcp, 80}, {web, client, tcp, 80}},
		},
		"expressions select, too": {
			"{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [client]}]}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [db, client]}]}}]}]}",
			[]connection{{db, web, tcp, 1}, {client, web, tcp, 1}, {guest, client, tcp, 1}},
			[]connection{{guest, web, tcp, 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := compile(cluster(t, test.policies))
			for _, each := range test.passes {
				if !rules.passes(t, each) {
					t.Errorf("%+v does not pass\n%s", each, rules.text())
				}
			}
			for _, each := range test.ends {
				if rules.passes(t, each) {
					t.Errorf("%+v passes\n%s", each, rules.text())
				}
			}
		})
	}
}

func TestANodeWithoutSelectedPodsHasNoRules(t *testing.T) {
	in := cluster(t, "{podSelector: {matchLabels: {app: db}}}")
	if rules := compile(in); !rules.isEmpty() {
		t.Error(rules.text())
	}
	in.nodeName = "n2"
	if rules := compile(in); rules.passes(t, connection{web, db, tcp, 80}) {
		t.Error(rules.text())
	}
}

func TestWhoHasEndedOrHasTheHostsNetworkIsNeitherSelectedNorAPeer(t *testing.T) {
	in := cluster(t, "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}")
	in.pods[1].Spec.HostNetwork = true
	in.pods[2].Status.Phase = corev1.PodSucceeded
	rules := compile(in)
	for _, each := range []connection{{client, web, tcp, 80}, {db, web, tcp, 80}} {
		if rules.passes(t, each) {
			t.Errorf("%+v passes\n%s", each, rules.text())
		}
	}
	if !rules.passes(t, connection{world, client, tcp, 80}) {
		t.Error("a pod of the host's network is isolated")
	}
}

func recordOf(namespace, name, uid, address string) record {
	return record{Namespace: namespace, Name: name, UID: uid, Address: netip.MustParseAddr(address)}
}

func TestANewPodHasItsRulesBeforeItsStatusHasItsAddress(t *testing.T) {
	in := cluster(t, "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}")
	in.pods[0].Status.PodIP, in.pods[1].Status.PodIP = "", "10.42.0.99" // of before a reboot
	in.records = []record{recordOf("default", "web", "uid-web", web), recordOf("default", "client", "uid-client", client)}
	rules := compile(in)
	if !rules.passes(t, connection{client, web, tcp, 80}) || rules.passes(t, connection{"10.42.0.99", web, tcp, 80}) {
		t.Error(rules.text())
	}
}

func TestAPodThatTheAPIHasNotShownIsClosedWhereThereArePolicies(t *testing.T) {
	in := cluster(t, "{podSelector: {matchLabels: {app: nobody}}}")
	in.records = []record{
		recordOf("default", "stranger", "uid-1", "10.42.0.20"),
		recordOf("default", "web", "uid-of-an-earlier-one", "10.42.0.21"),
		recordOf("free", "stranger", "uid-2", "10.42.0.22"),
	}
	rules := compile(in)
	for _, address := range []string{"10.42.0.20", "10.42.0.21"} {
		if rules.passes(t, connection{address, world, tcp, 80}) || rules.passes(t, connection{world, address, tcp, 80}) {
			t.Errorf("%s is open\n%s", address, rules.text())
		}
	}
	if !rules.passes(t, connection{"10.42.0.22", world, tcp, 80}) {
		t.Error("a pod of a namespace without policies is closed")
	}
}

func TestAnAddressIsThePodsThatHasItNow(t *testing.T) {
	in := cluster(t, "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}")
	// The client is gone, its status not yet; its address is another pod's.
	in.pods = append(in.pods, object("other", "heir", "heir", "n1", ""))
	in.records = []record{recordOf("other", "heir", "uid-heir", client)}
	if rules := compile(in); rules.passes(t, connection{client, web, tcp, 80}) {
		t.Error(rules.text())
	}
}

func TestAStaticPodIsKnownByItsOwnUID(t *testing.T) {
	in := cluster(t, "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}")
	in.pods[0].Annotations = map[string]string{staticPodUID: "of-the-file"}
	in.records = []record{recordOf("default", "web", "of-the-file", "10.42.0.30")}
	rules := compile(in)
	if !rules.passes(t, connection{world, "10.42.0.30", tcp, 80}) || rules.passes(t, connection{world, "10.42.0.30", tcp, 81}) {
		t.Error(rules.text())
	}
}

func TestRulesThatNameTheSamePodsShareTheirSet(t *testing.T) {
	peer := "ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}, {port: 81}]}]"
	rules := compile(cluster(t, "{podSelector: {matchLabels: {app: web}}, "+peer+"}\n---\n{podSelector: {matchLabels: {app: client}}, "+peer+"}"))
	if len(rules.sets) != 3 { // and the two maps of isolated pods
		t.Error(rules.text())
	}
}

func TestNamesFitIntoTheKernels(t *testing.T) {
	long := strings.Repeat("n", 253)
	one, other := nameOf("policy", "default", long+"1", "ingress"), nameOf("policy", "default", long+"2", "ingress")
	if len(one) > longestName || one == other {
		t.Errorf("%s\n%s", one, other)
	}
}

func TestRangesWithoutOthers(t *testing.T) {
	all := addressRange{0, 1<<32 - 1}
	for _, test := range []struct {
		from    addressRange
		without []addressRange
		want    []addressRange
	}{
		{all, nil, []addressRange{all}},
		{all, []addressRange{all}, nil},
		{all, []addressRange{{5, 6}, {1<<32 - 1, 1<<32 - 1}}, []addressRange{{0, 4}, {7, 1<<32 - 2}}},
		{addressRange{10, 20}, []addressRange{{15, 25}, {0, 10}, {12, 13}, {13, 14}}, []addressRange{{11, 11}}},
	} {
		if got := test.from.without(test.without); !equalRanges(got, test.want) {
			t.Errorf("%v without %v is %v", test.from, test.without, got)
		}
	}
	if got := merged([]addressRange{{5, 9}, {0, 3}, {4, 4}, {7, 12}, {20, 21}}); !equalRanges(got, []addressRange{{0, 12}, {20, 21}}) {
		t.Error(got)
	}
}

func equalRanges(a, b []addressRange) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
