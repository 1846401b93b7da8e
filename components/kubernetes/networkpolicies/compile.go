package networkpolicies

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// inputs are what the rules of a node are worked out from.
type inputs struct {
	nodeName   string
	policies   []*networkingv1.NetworkPolicy
	namespaces []*corev1.Namespace
	pods       []*corev1.Pod
	// records are of this node's pods, from the moment when they have an address.
	records []record
}

// pod is one that policies speak of: with an address of its own, and not ended.
type pod struct {
	namespace, name string
	labels          labels.Set
	address         netip.Addr
	isLocal         bool
	ports           []namedPort
}

type namedPort struct {
	name     string
	protocol uint8
	number   uint16
}

type direction int

const (
	ingress direction = iota
	egress
)

func (d direction) String() string { return [...]string{"ingress", "egress"}[d] }

// compiler works out one ruleset.
type compiler struct {
	inputs
	all         []*pod
	byNamespace map[string][]*pod
	// unknown are addresses of this node's pods that the API has not shown yet.
	unknown []record
	out     ruleset
}

// compile has rules for this node's pods alone: those that a policy selects
// are isolated, each in the directions that its policies name, and reach or
// are reached by what one of them allows.
func compile(in inputs) ruleset {
	c := &compiler{
		inputs:      in,
		byNamespace: map[string][]*pod{},
		out:         ruleset{chains: map[string][]rule{}, sets: map[string]set{}},
	}
	c.findPods()
	isolated := map[direction]map[string]string{ingress: {}, egress: {}}
	selecting := map[direction]map[*pod][]string{ingress: {}, egress: {}}
	closed := map[string]bool{}
	for _, policy := range slices.SortedFunc(slices.Values(in.policies), byName) {
		closed[policy.Namespace] = true
		selected := c.selectedBy(policy)
		if len(selected) == 0 {
			continue
		}
		for _, d := range directionsOf(policy) {
			chain := nameOf("policy", policy.Namespace, policy.Name, d.String())
			c.out.chains[chain] = c.rulesOf(policy, d, selected)
			for _, p := range selected {
				selecting[d][p] = append(selecting[d][p], chain)
			}
		}
	}
	for _, d := range []direction{ingress, egress} {
		for p, chains := range selecting[d] {
			name := nameOf("pod", p.namespace, p.name, d.String())
			c.out.chains[name] = chainOfPod(d, p.address, chains)
			isolated[d][keyOf(p.address)] = name
		}
		for _, one := range c.unknown {
			if !closed[one.Namespace] {
				continue
			}
			name := nameOf("unknown", one.Address.String(), d.String())
			c.out.chains[name] = chainOfPod(d, one.Address, nil)
			isolated[d][keyOf(one.Address)] = name
		}
	}
	if len(isolated[ingress])+len(isolated[egress]) == 0 {
		return ruleset{}
	}
	c.out.sets[ingressPods] = set{kind: chainsByAddress, comment: "isolated for ingress", elements: isolated[ingress]}
	c.out.sets[egressPods] = set{kind: chainsByAddress, comment: "isolated for egress", elements: isolated[egress]}
	return c.out.withBase()
}

func byName(a, b *networkingv1.NetworkPolicy) int {
	return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
}

// chainOfPod lets a pod reach itself, as through its own Service, and drops
// what none of the policies accepts.
func chainOfPod(d direction, address netip.Addr, policies []string) []rule {
	itself := rule{to: end{address: address}, verdict: accept}
	if d == ingress {
		itself = rule{from: end{address: address}, verdict: accept}
	}
	rules := []rule{itself}
	for _, chain := range policies {
		rules = append(rules, rule{verdict: jump, target: chain})
	}
	return append(rules, rule{verdict: drop})
}

// longestName is what the kernel takes, less the zero at the end.
const longestName = 255

func nameOf(parts ...string) string {
	name := strings.Join(parts, "/")
	if len(name) <= longestName {
		return name
	}
	return name[:longestName-13] + "-" + hashOf(name)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

func directionsOf(policy *networkingv1.NetworkPolicy) []direction {
	types := policy.Spec.PolicyTypes
	var all []direction
	if len(types) == 0 || slices.Contains(types, networkingv1.PolicyTypeIngress) {
		all = append(all, ingress)
	}
	if slices.Contains(types, networkingv1.PolicyTypeEgress) || (len(types) == 0 && len(policy.Spec.Egress) > 0) {
		all = append(all, egress)
	}
	return all
}

// findPods joins what the API says with what this node has recorded: a pod's
// address is known here before it is in the pod's status, and an address that
// has been given to another pod is that one's.
func (c *compiler) findPods() {
	recorded := map[string]record{}
	taken := map[netip.Addr]bool{}
	for _, one := range c.records {
		recorded[one.Namespace+"/"+one.Name] = one
		taken[one.Address] = true
	}
	known := map[netip.Addr]bool{}
	for _, object := range c.pods {
		if object.Spec.HostNetwork || hasEnded(object) {
			continue
		}
		address := addressIn(object.Status)
		isLocal := object.Spec.NodeName == c.nodeName
		if one, ok := recorded[object.Namespace+"/"+object.Name]; ok && isLocal && one.isOf(object) {
			address = one.Address
			known[address] = true
		} else if taken[address] {
			continue
		}
		if !address.IsValid() {
			continue
		}
		p := &pod{
			namespace: object.Namespace,
			name:      object.Name,
			labels:    object.Labels,
			address:   address,
			isLocal:   isLocal,
			ports:     portsOf(object.Spec),
		}
		c.all = append(c.all, p)
		c.byNamespace[p.namespace] = append(c.byNamespace[p.namespace], p)
	}
	for _, one := range c.records {
		if !known[one.Address] {
			c.unknown = append(c.unknown, one)
		}
	}
}

func hasEnded(object *corev1.Pod) bool {
	return object.Status.Phase == corev1.PodSucceeded || object.Status.Phase == corev1.PodFailed
}

func addressIn(status corev1.PodStatus) netip.Addr {
	for _, each := range append([]corev1.PodIP{{IP: status.PodIP}}, status.PodIPs...) {
		if address, err := netip.ParseAddr(each.IP); err == nil && address.Is4() {
			return address
		}
	}
	return netip.Addr{}
}

func portsOf(spec corev1.PodSpec) []namedPort {
	var all []namedPort
	for _, container := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
		for _, port := range container.Ports {
			if port.Name != "" {
				all = append(all, namedPort{port.Name, protocolNumber(&port.Protocol), uint16(port.ContainerPort)})
			}
		}
	}
	return all
}

const (
	tcp  = 6
	udp  = 17
	sctp = 132
)

func protocolNumber(protocol *corev1.Protocol) uint8 {
	switch {
	case protocol == nil:
		return tcp
	case *protocol == corev1.ProtocolUDP:
		return udp
	case *protocol == corev1.ProtocolSCTP:
		return sctp
	}
	return tcp
}

// selectedBy are this node's pods that the policy is for.
func (c *compiler) selectedBy(policy *networkingv1.NetworkPolicy) []*pod {
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		return nil // kube-apiserver takes none that is wrong
	}
	var selected []*pod
	for _, p := range c.byNamespace[policy.Namespace] {
		if p.isLocal && selector.Matches(p.labels) {
			selected = append(selected, p)
		}
	}
	return selected
}

func (c *compiler) rulesOf(policy *networkingv1.NetworkPolicy, d direction, selected []*pod) []rule {
	var all []rule
	if d == ingress {
		for _, one := range policy.Spec.Ingress {
			all = append(all, c.accepting(policy, d, one.From, one.Ports, selected)...)
		}
		return all
	}
	for _, one := range policy.Spec.Egress {
		all = append(all, c.accepting(policy, d, one.To, one.Ports, selected)...)
	}
	return all
}

// accepting are the rules for what one rule of a policy allows: each kind of
// peer with each port.
func (c *compiler) accepting(
	policy *networkingv1.NetworkPolicy,
	d direction,
	peers []networkingv1.NetworkPolicyPeer,
	ports []networkingv1.NetworkPolicyPort,
	selected []*pod,
) []rule {
	var all []rule
	for _, who := range c.peersOf(policy.Namespace, peers) {
		base := rule{verdict: accept}
		if who.set != "" {
			if d == ingress {
				base.from.set = who.set
			} else {
				base.to.set = who.set
			}
		}
		if len(ports) == 0 {
			all = append(all, base)
		}
		for _, port := range ports {
			withPort := base
			withPort.protocol = protocolNumber(port.Protocol)
			switch {
			case port.Port == nil:
				all = append(all, withPort)
			case port.Port.Type == intstr.Int:
				first := uint16(port.Port.IntVal)
				withPort.ports = portRange{first, first}
				if port.EndPort != nil {
					withPort.ports.last = uint16(*port.EndPort)
				}
				all = append(all, withPort)
			case d == ingress:
				selects := reachedPods{"those that " + policy.Namespace + "/" + policy.Name + " selects", selected}
				all = append(all, c.withNamedPort(withPort, port.Port.StrVal, selects)...)
			default:
				all = append(all, c.withNamedPort(withPort, port.Port.StrVal, reachedPods{who.said, who.pods})...)
			}
		}
	}
	return all
}

// withNamedPort makes a rule for each number that pods have by this name, to
// the pods that have it.
func (c *compiler) withNamedPort(base rule, name string, reached reachedPods) []rule {
	having := map[uint16]map[string]string{}
	for _, p := range reached.pods {
		for _, port := range p.ports {
			if port.name != name || port.protocol != base.protocol {
				continue
			}
			if having[port.number] == nil {
				having[port.number] = map[string]string{}
			}
			having[port.number][keyOf(p.address)] = ""
		}
	}
	var all []rule
	for _, number := range slices.Sorted(maps.Keys(having)) {
		text := fmt.Sprintf("%s is %d (protocol %d) of %s", name, number, base.protocol, reached.said)
		one := base
		one.to = end{set: "ports-" + hashOf(text)}
		one.ports = portRange{number, number}
		c.out.sets[one.to.set] = set{kind: addresses, comment: shortened(text), elements: having[number]}
		all = append(all, one)
	}
	return all
}

// reachedPods are those whose ports a name may be of.
type reachedPods struct {
	said string
	pods []*pod
}

// who is whom a rule of a policy names: a set of addresses, or everybody.
type who struct {
	set  string
	said string
	pods []*pod
}

// peersOf are the sets for the pods that are selected and for blocks of
// addresses. No peers at all are everybody.
func (c *compiler) peersOf(namespace string, peers []networkingv1.NetworkPolicyPeer) []who {
	if len(peers) == 0 {
		return []who{{said: "all pods", pods: c.all}}
	}
	var labelsOfPods, labelsOfBlocks []string
	pods := map[*pod]bool{}
	var blocks []addressRange
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if found, ok := blockOf(peer.IPBlock); ok {
				blocks = append(blocks, found...)
				labelsOfBlocks = append(labelsOfBlocks, blockText(peer.IPBlock))
			}
			continue
		}
		labelsOfPods = append(labelsOfPods, c.addSelected(pods, namespace, peer))
	}
	var all []who
	if len(labelsOfPods) > 0 {
		all = append(all, c.podSet(labelsOfPods, pods))
	}
	if len(labelsOfBlocks) > 0 {
		all = append(all, c.blockSet(labelsOfBlocks, merged(blocks)))
	}
	return all
}

// addSelected adds the pods that a peer selects. It returns what the peer says,
// for the set's name.
func (c *compiler) addSelected(found map[*pod]bool, namespace string, peer networkingv1.NetworkPolicyPeer) string {
	ofPods, said := labels.Everything(), "all pods"
	if peer.PodSelector != nil {
		ofPods = selectorOf(peer.PodSelector)
	}
	if !ofPods.Empty() {
		said = "pods " + ofPods.String()
	}
	if peer.NamespaceSelector == nil {
		c.addFrom(found, namespace, ofPods)
		return said + " in " + namespace
	}
	ofNamespaces := selectorOf(peer.NamespaceSelector)
	for _, one := range c.namespaces {
		if ofNamespaces.Matches(labels.Set(one.Labels)) {
			c.addFrom(found, one.Name, ofPods)
		}
	}
	if ofNamespaces.Empty() {
		return said + " in all namespaces"
	}
	return said + " in namespaces " + ofNamespaces.String()
}

func (c *compiler) addFrom(found map[*pod]bool, namespace string, selector labels.Selector) {
	for _, p := range c.byNamespace[namespace] {
		if selector.Matches(p.labels) {
			found[p] = true
		}
	}
}

func selectorOf(selector *metav1.LabelSelector) labels.Selector {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return labels.Nothing() // kube-apiserver takes none that is wrong
	}
	return parsed
}

// podSet is shared by all rules that name the same pods.
func (c *compiler) podSet(said []string, pods map[*pod]bool) who {
	text := strings.Join(slices.Compact(slices.Sorted(slices.Values(said))), ", ")
	one := who{set: "pods-" + hashOf(text), said: text, pods: slices.Collect(maps.Keys(pods))}
	slices.SortFunc(one.pods, func(a, b *pod) int { return a.address.Compare(b.address) })
	if _, ok := c.out.sets[one.set]; !ok {
		elements := map[string]string{}
		for p := range pods {
			elements[keyOf(p.address)] = ""
		}
		c.out.sets[one.set] = set{kind: addresses, comment: shortened(text), elements: elements}
	}
	return one
}

func (c *compiler) blockSet(said []string, ranges []addressRange) who {
	text := strings.Join(slices.Compact(slices.Sorted(slices.Values(said))), ", ")
	one := who{set: "blocks-" + hashOf(text), said: text}
	for _, p := range c.all {
		if covers(ranges, p.address) {
			one.pods = append(one.pods, p)
		}
	}
	c.out.sets[one.set] = set{kind: addressRanges, comment: shortened(text), ranges: ranges}
	return one
}

// blockOf is a block without its exceptions; one of IPv6 has no pod here to be for.
func blockOf(block *networkingv1.IPBlock) ([]addressRange, bool) {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || !prefix.Addr().Is4() {
		return nil, false
	}
	var except []addressRange
	for _, each := range block.Except {
		if inner, err := netip.ParsePrefix(each); err == nil && inner.Addr().Is4() {
			except = append(except, rangeOf(inner))
		}
	}
	return rangeOf(prefix).without(except), true
}

func blockText(block *networkingv1.IPBlock) string {
	if len(block.Except) == 0 {
		return block.CIDR
	}
	return block.CIDR + " except " + strings.Join(block.Except, " ")
}

// shortened fits into what the kernel keeps with a set.
func shortened(comment string) string {
	const longest = 120
	if len(comment) <= longest {
		return comment
	}
	return comment[:longest-1] + "…"
}
