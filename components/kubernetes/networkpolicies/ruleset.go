package networkpolicies

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// ruleset is everything in the table, apart from how the kernel is told.
//
// Packets of both directions are judged by their connection: from where it was
// opened (before any translation), and to where it leads (after it). So a
// policy that changes ends connections that it no longer allows, an answer
// needs no rule, and a Service is judged by the pod behind it.
type ruleset struct {
	chains map[string][]rule
	sets   map[string]set
}

// The chains that the kernel calls. Each judges one direction: what one
// accepts the next may still drop, and after them the host's own rules.
const (
	egressChain  = "egress"
	ingressChain = "ingress"
	// toNodeChain is for what a pod sends to its own node. What the node sends
	// to its pods passes none of these.
	toNodeChain = "egress-to-node"
)

// The maps from the address of an isolated pod of this node to its chain.
const (
	egressPods  = "egress-pods"
	ingressPods = "ingress-pods"
)

// rule is the conditions that it has, all of which must hold, and a verdict.
type rule struct {
	// isUntracked is of packets that belong to no connection.
	isUntracked bool
	// from and to are ends of the connection: an address, or the name of a set.
	from, to end
	// protocol is the number in an IP header; 0 is any.
	protocol uint8
	// ports are the destination's; absent where both are 0.
	ports portRange

	verdict verdict
	// target is the chain of a jump, or the map of a lookup.
	target string
}

type end struct {
	address netip.Addr
	set     string
}

type portRange struct{ first, last uint16 }

type verdict int

const (
	accept verdict = iota
	drop
	jump
	// byFrom and byTo look up the connection's end in a map of chains.
	byFrom
	byTo
	// bySource and byDestination look up the packet's own address.
	bySource
	byDestination
)

type setKind int

const (
	addresses setKind = iota
	// addressRanges never change: their name is a hash of them.
	addressRanges
	chainsByAddress
)

// set is elements in the kernel's own form, with the chain for each in a map.
type set struct {
	kind     setKind
	comment  string
	elements map[string]string
	ranges   []addressRange
}

func (s set) equal(other set) bool {
	return s.kind == other.kind && s.comment == other.comment && maps.Equal(s.elements, other.elements)
}

func (r ruleset) isEmpty() bool { return len(r.chains) == 0 }

func (r ruleset) count() (chains, rules, elements int) {
	for _, all := range r.chains {
		rules += len(all)
	}
	for _, one := range r.sets {
		elements += len(one.elements) + len(one.ranges)
	}
	return len(r.chains), rules, elements
}

// withBase adds the chains that the kernel calls.
func (r ruleset) withBase() ruleset {
	from := []rule{
		{isUntracked: true, verdict: bySource, target: egressPods},
		{verdict: byFrom, target: egressPods},
	}
	r.chains[egressChain] = from
	r.chains[toNodeChain] = from
	r.chains[ingressChain] = []rule{
		{isUntracked: true, verdict: byDestination, target: ingressPods},
		{verdict: byTo, target: ingressPods},
	}
	return r
}

// keyOf is an address as the kernel has it in a set.
func keyOf(address netip.Addr) string {
	bytes := address.As4()
	return string(bytes[:])
}

// text is for people and tests.
func (r ruleset) text() string {
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(r.sets)) {
		one := r.sets[name]
		fmt.Fprintf(&out, "set %s # %s\n", name, one.comment)
		for _, key := range slices.Sorted(maps.Keys(one.elements)) {
			fmt.Fprintf(&out, "  %s\n", strings.TrimSpace(netip.AddrFrom4([4]byte([]byte(key))).String()+" "+one.elements[key]))
		}
		for _, each := range one.ranges {
			fmt.Fprintf(&out, "  %s\n", each)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.chains)) {
		fmt.Fprintf(&out, "chain %s\n", name)
		for _, each := range r.chains[name] {
			fmt.Fprintf(&out, "  %s\n", each)
		}
	}
	return out.String()
}

func (r rule) String() string {
	var words []string
	say := func(isSaid bool, format string, args ...any) {
		if isSaid {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	say(r.isUntracked, "untracked")
	say(r.from != end{}, "from %s", r.from)
	say(r.to != end{}, "to %s", r.to)
	say(r.protocol != 0, "protocol %d", r.protocol)
	say(r.ports != portRange{}, "port %d-%d", r.ports.first, r.ports.last)
	names := map[verdict]string{
		accept: "accept", drop: "drop", jump: "jump ", byFrom: "by from @", byTo: "by to @",
		bySource: "by source @", byDestination: "by destination @",
	}
	return strings.Join(append(words, names[r.verdict]+r.target), " ")
}

func (e end) String() string {
	if e.set != "" {
		return "@" + e.set
	}
	return e.address.String()
}

// addressRange has both of its ends.
type addressRange struct{ first, last uint32 }

func (r addressRange) String() string {
	return addressOf(r.first).String() + "-" + addressOf(r.last).String()
}

func addressOf(number uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)})
}

func numberOf(address netip.Addr) uint32 {
	b := address.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func rangeOf(prefix netip.Prefix) addressRange {
	first := numberOf(prefix.Masked().Addr())
	return addressRange{first, first | uint32(uint64(1)<<(32-prefix.Bits())-1)}
}

// without is what is left of a range.
func (r addressRange) without(others []addressRange) []addressRange {
	var left []addressRange
	next := uint64(r.first)
	for _, other := range merged(others) {
		if uint64(other.last) < next || other.first > r.last {
			continue
		}
		if uint64(other.first) > next {
			left = append(left, addressRange{uint32(next), other.first - 1})
		}
		next = uint64(other.last) + 1
	}
	if next <= uint64(r.last) {
		left = append(left, addressRange{uint32(next), r.last})
	}
	return left
}

// merged sorts, and joins what overlaps or touches: the kernel refuses
// intervals that overlap.
func merged(ranges []addressRange) []addressRange {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b addressRange) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last))
	})
	var all []addressRange
	for _, one := range sorted {
		if last := len(all) - 1; last >= 0 && uint64(one.first) <= uint64(all[last].last)+1 {
			all[last].last = max(all[last].last, one.last)
			continue
		}
		all = append(all, one)
	}
	return all
}

func covers(ranges []addressRange, address netip.Addr) bool {
	number := numberOf(address)
	return slices.ContainsFunc(ranges, func(r addressRange) bool { return r.first <= number && number <= r.last })
}
