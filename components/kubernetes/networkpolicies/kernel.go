package networkpolicies

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tableName is of the table `ip`, and of one in `ip6` that keeps pods' link-local
// addresses from being a detour. Nothing else of the host's rules is touched.
const tableName = "kagent-netpol"

// kernel writes the tables, each time in one transaction, and knows what it
// has written.
type kernel struct {
	// bridge is the device on which this node's pods are; empty if a network
	// that is not kagent's has others.
	bridge  string
	hasIPv6 bool

	written    ruleset
	isComplete bool
	// generation is the kernel's count of transactions, everybody's, as of the
	// last look at what is there.
	generation uint32
}

const (
	// bufferSize is enough for the answers to a transaction of some ten thousand rules.
	bufferSize = 32 << 20
	// elementsAtOnce keeps a message below the 64 KiB that an attribute can have.
	elementsAtOnce = 1000
)

func connect() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(socket *netlink.Conn) error {
		// Refused where root is not the host's own; then large transactions fail, and small ones work.
		_ = socket.SetReadBuffer(bufferSize)
		_ = socket.SetWriteBuffer(bufferSize)
		return nil
	}))
}

func table4() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: tableName}
}
func table6() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv6, Name: tableName}
}

// newKernel tries whether this kernel takes everything that rules are made of.
func newKernel(bridge string) (*kernel, error) {
	k := &kernel{bridge: bridge, hasIPv6: bridge != ""}
	if err := k.try(); err != nil {
		k.hasIPv6 = false
		if err := k.try(); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// try makes a table of another name and takes it away, in one transaction.
func (k *kernel) try() error {
	c, err := connect()
	if err != nil {
		return err
	}
	t4, t6 := table4(), table6()
	t4.Name, t6.Name = tableName+"-try", tableName+"-try"
	address := addressOf(1)
	sample := ruleset{
		chains: map[string][]rule{"pod": {
			{from: end{set: "pods"}, protocol: tcp, ports: portRange{1, 2}, verdict: accept},
			{to: end{set: "blocks"}, protocol: udp, ports: portRange{1, 1}, verdict: accept},
			{to: end{address: address}, verdict: accept},
			{verdict: drop},
		}},
		sets: map[string]set{
			"pods":      {kind: addresses, elements: map[string]string{keyOf(address): ""}},
			"blocks":    {kind: addressRanges, ranges: []addressRange{{1, 2}}},
			egressPods:  {kind: chainsByAddress, elements: map[string]string{keyOf(address): "pod"}},
			ingressPods: {kind: chainsByAddress},
		},
	}.withBase()
	if err := write(c, t4, ruleset{}, sample); err != nil {
		return err
	}
	c.DelTable(t4)
	if k.hasIPv6 {
		k.writeIPv6(c, t6)
		c.DelTable(t6)
	}
	return c.Flush()
}

// apply makes the table what it is to be. Nothing of it is written if it is so
// already.
func (k *kernel) apply(wanted ruleset) error {
	if k.isComplete && wanted.isEmpty() && k.written.isEmpty() {
		return nil
	}
	c, err := connect()
	if err != nil {
		return err
	}
	if k.isComplete && !wanted.isEmpty() && !k.written.isEmpty() {
		err = write(c, table4(), k.written, wanted)
	} else {
		k.remove(c)
		if !wanted.isEmpty() {
			err = write(c, table4(), ruleset{}, wanted)
			if k.hasIPv6 {
				k.writeIPv6(c, table6())
			}
		}
	}
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		k.isComplete = false
		return err
	}
	// The next look is at everything: somebody may have changed the tables right after.
	k.written, k.isComplete, k.generation = wanted, true, 0
	return nil
}

// remove deletes the tables whether they are there or not.
func (k *kernel) remove(c *nftables.Conn) {
	tables := []*nftables.Table{table4()}
	if k.hasIPv6 {
		tables = append(tables, table6())
	}
	for _, table := range tables {
		c.AddTable(table)
		c.DelTable(table)
	}
}

// removeTables takes away what an earlier life has left.
func removeTables() error {
	for _, table := range []*nftables.Table{table4(), table6()} {
		c, err := connect()
		if err != nil {
			return err
		}
		found, err := c.ListTableOfFamily(tableName, table.Family)
		if err != nil || found == nil {
			continue // there is none, or none can be
		}
		c.DelTable(table)
		if err := c.Flush(); err != nil {
			return fmt.Errorf("table %s: %w", tableName, err)
		}
	}
	return nil
}

// isIntact looks whether somebody has changed the tables. While nobody has
// changed any rule of the host, that is one question.
func (k *kernel) isIntact() (bool, error) {
	if k.written.isEmpty() || !k.isComplete {
		return true, nil
	}
	now, err := generation()
	if err != nil || now == k.generation {
		return true, err
	}
	isSame, err := k.isThere()
	if err != nil {
		return false, err
	}
	if !isSame {
		k.isComplete = false
		return false, nil
	}
	k.generation = now
	return true, nil
}

func (k *kernel) isThere() (bool, error) {
	c, err := connect()
	if err != nil {
		return false, err
	}
	tables := []*nftables.Table{table4()}
	if k.hasIPv6 {
		tables = append(tables, table6())
	}
	for _, table := range tables {
		found, err := c.ListTableOfFamily(tableName, table.Family)
		if err != nil || found == nil || found.Flags != 0 { // none, or a dormant one
			return false, nil
		}
	}
	rules, err := ruleCounts(nftables.TableFamilyIPv4)
	if err != nil {
		return false, err
	}
	for name, wanted := range k.written.chains {
		if rules[name] != len(wanted) {
			return false, nil
		}
	}
	if k.hasIPv6 {
		if rules, err = ruleCounts(nftables.TableFamilyIPv6); err != nil || rules["forward"]+rules["input"] != 2 {
			return false, err
		}
	}
	sets, err := c.GetSets(table4())
	if err != nil || len(sets) < len(k.written.sets) {
		return false, err
	}
	for name, wanted := range k.written.sets {
		found, err := c.GetSetElements(&nftables.Set{Table: table4(), Name: name})
		if err != nil {
			return false, err
		}
		if len(found) != len(elementsOf(wanted)) {
			return false, nil
		}
	}
	return true, nil
}

// ruleCounts is how many rules each chain of the table has, with one question.
func ruleCounts(family nftables.TableFamily) (map[string]int, error) {
	name, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_RULE_TABLE, Data: []byte(tableName + "\x00")}})
	if err != nil {
		return nil, err
	}
	replies, err := ask(unix.NFT_MSG_GETRULE, netlink.Dump, family, name)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, message := range replies {
		attributes, err := netlink.NewAttributeDecoder(message.Data[4:])
		if err != nil {
			return nil, err
		}
		var table, chain string
		for attributes.Next() {
			switch attributes.Type() {
			case unix.NFTA_RULE_TABLE:
				table = attributes.String()
			case unix.NFTA_RULE_CHAIN:
				chain = attributes.String()
			}
		}
		if table == tableName {
			counts[chain]++
		}
	}
	return counts, nil
}

func generation() (uint32, error) {
	replies, err := ask(unix.NFT_MSG_GETGEN, 0, nftables.TableFamilyUnspecified, nil)
	if err != nil || len(replies) == 0 {
		return 0, err
	}
	attributes, err := netlink.NewAttributeDecoder(replies[0].Data[4:])
	if err != nil {
		return 0, err
	}
	attributes.ByteOrder = binary.BigEndian
	for attributes.Next() {
		if attributes.Type() == unix.NFTA_GEN_ID {
			return attributes.Uint32(), nil
		}
	}
	return 0, errors.New("the kernel did not say its generation of rules")
}

// ask is for what the library has no question for.
func ask(kind int, flags netlink.HeaderFlags, family nftables.TableFamily, attributes []byte) ([]netlink.Message, error) {
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	_ = socket.SetReadBuffer(bufferSize)
	return socket.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | flags,
		},
		Data: append([]byte{byte(family), unix.NFNETLINK_V0, 0, 0}, attributes...),
	})
}

// write adds to the transaction what leads from one ruleset to another: new
// chains and sets, then what refers to them, then the end of what nobody
// refers to any more.
func write(c *nftables.Conn, table *nftables.Table, from, to ruleset) error {
	if from.isEmpty() {
		c.AddTable(table)
	}
	for _, name := range slices.Sorted(maps.Keys(to.chains)) {
		if _, ok := from.chains[name]; !ok {
			c.AddChain(chainNamed(table, name))
		}
	}
	if err := writeSets(c, table, from, to); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(to.chains)) {
		earlier, isOld := from.chains[name]
		if isOld && slices.Equal(earlier, to.chains[name]) {
			continue
		}
		chain := chainNamed(table, name)
		if isOld {
			c.FlushChain(chain)
		}
		for _, one := range to.chains[name] {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: expressionsOf(one)})
		}
	}
	return removeRest(c, table, from, to)
}

func writeSets(c *nftables.Conn, table *nftables.Table, from, to ruleset) error {
	for _, name := range slices.Sorted(maps.Keys(to.sets)) {
		wanted := to.sets[name]
		object := setNamed(table, name, wanted)
		earlier, isOld := from.sets[name]
		if !isOld {
			if err := c.AddSet(object, nil); err != nil {
				return err
			}
		}
		var added, removed []nftables.SetElement
		for _, key := range slices.Sorted(maps.Keys(earlier.elements)) {
			if target, ok := wanted.elements[key]; !ok || target != earlier.elements[key] {
				removed = append(removed, elementOf(key, earlier.elements[key]))
			}
		}
		if isOld {
			for _, key := range slices.Sorted(maps.Keys(wanted.elements)) {
				if target, ok := earlier.elements[key]; !ok || target != wanted.elements[key] {
					added = append(added, elementOf(key, wanted.elements[key]))
				}
			}
		} else {
			added = elementsOf(wanted)
		}
		for some := range slices.Chunk(removed, elementsAtOnce) {
			if err := c.SetDeleteElements(object, some); err != nil {
				return err
			}
		}
		for some := range slices.Chunk(added, elementsAtOnce) {
			if err := c.SetAddElements(object, some); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeRest(c *nftables.Conn, table *nftables.Table, from, to ruleset) error {
	var gone []*nftables.Chain
	for _, name := range slices.Sorted(maps.Keys(from.chains)) {
		if _, ok := to.chains[name]; !ok {
			gone = append(gone, chainNamed(table, name))
		}
	}
	for _, chain := range gone {
		c.FlushChain(chain) // they may refer to each other
	}
	for _, chain := range gone {
		c.DelChain(chain)
	}
	for _, name := range slices.Sorted(maps.Keys(from.sets)) {
		if _, ok := to.sets[name]; !ok {
			c.DelSet(setNamed(table, name, from.sets[name]))
		}
	}
	return nil
}

// Before the host's own filters (0), so that nothing of theirs decides first;
// what is accepted here they judge all the same.
var (
	egressPriority  = nftables.ChainPriorityRef(-2)
	ingressPriority = nftables.ChainPriorityRef(-1)
)

func chainNamed(table *nftables.Table, name string) *nftables.Chain {
	chain := &nftables.Chain{Table: table, Name: name}
	switch name {
	case egressChain:
		chain.Hooknum, chain.Priority = nftables.ChainHookForward, egressPriority
	case ingressChain:
		chain.Hooknum, chain.Priority = nftables.ChainHookForward, ingressPriority
	case toNodeChain:
		chain.Hooknum, chain.Priority = nftables.ChainHookInput, egressPriority
	default:
		return chain
	}
	chain.Type = nftables.ChainTypeFilter
	return chain
}

func setNamed(table *nftables.Table, name string, one set) *nftables.Set {
	object := &nftables.Set{Table: table, Name: name, KeyType: nftables.TypeIPAddr, Comment: one.comment}
	switch one.kind {
	case addressRanges:
		object.Interval = true
	case chainsByAddress:
		object.IsMap = true
		object.DataType = nftables.TypeVerdict
	}
	object.KeyByteOrder = binaryutil.BigEndian
	return object
}

func elementsOf(one set) []nftables.SetElement {
	var all []nftables.SetElement
	for _, key := range slices.Sorted(maps.Keys(one.elements)) {
		all = append(all, elementOf(key, one.elements[key]))
	}
	for _, each := range one.ranges {
		all = append(all, nftables.SetElement{Key: []byte(keyOf(addressOf(each.first)))})
		if each.last < 1<<32-1 {
			all = append(all, nftables.SetElement{Key: []byte(keyOf(addressOf(each.last + 1))), IntervalEnd: true})
		}
	}
	return all
}

func elementOf(key, chain string) nftables.SetElement {
	element := nftables.SetElement{Key: []byte(key)}
	if chain != "" {
		element.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}
	}
	return element
}

// writeIPv6 has pods reach nothing by the link-local addresses that their
// devices have: the cluster's addresses are IPv4, and so are policies.
func (k *kernel) writeIPv6(c *nftables.Conn, table *nftables.Table) {
	c.AddTable(table)
	fromPods := func() []expr.Any {
		name := make([]byte, unix.IFNAMSIZ)
		copy(name, k.bridge)
		return []expr.Any{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: name},
		}
	}
	forward := c.AddChain(&nftables.Chain{
		Table: table, Name: "forward", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: egressPriority,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: append(fromPods(),
		&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})})
	input := c.AddChain(&nftables.Chain{
		Table: table, Name: "input", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: egressPriority,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: input, Exprs: append(fromPods(),
		// The neighbours' own protocol is harmless, and a device without it is thought broken.
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{unix.IPPROTO_ICMPV6}},
		&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})})
}

const (
	opening   = 0 // the connection's direction in which it was opened
	answering = 1
)

// expressionsOf is a rule as the kernel has it.
func expressionsOf(r rule) []expr.Any {
	var all []expr.Any
	add := func(more ...expr.Any) { all = append(all, more...) }
	equals := func(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
	from := &expr.Ct{Key: unix.NFT_CT_SRC_IP, Direction: opening, Register: 1}
	to := &expr.Ct{Key: unix.NFT_CT_SRC_IP, Direction: answering, Register: 1}
	if r.isUntracked {
		add(
			&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitINVALID | expr.CtStateBitUNTRACKED), Xor: make([]byte, 4)},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
		)
	}
	is := func(which expr.Any, wanted end) {
		switch {
		case wanted.set != "":
			add(which, &expr.Lookup{SourceRegister: 1, SetName: wanted.set})
		case wanted.address.IsValid():
			add(which, equals([]byte(keyOf(wanted.address))))
		}
	}
	is(from, r.from)
	is(to, r.to)
	if r.protocol != 0 {
		add(&expr.Ct{Key: expr.CtKeyPROTOCOL, Register: 1}, equals([]byte{r.protocol}))
	}
	if r.ports != (portRange{}) {
		first := binaryutil.BigEndian.PutUint16(r.ports.first)
		add(&expr.Ct{Key: expr.CtKeyPROTOSRC, Direction: answering, Register: 1})
		if r.ports.first == r.ports.last {
			add(equals(first))
		} else {
			add(&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: first},
				&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: binaryutil.BigEndian.PutUint16(r.ports.last)})
		}
	}
	lookUp := &expr.Lookup{SourceRegister: 1, IsDestRegSet: true, SetName: r.target}
	header := func(offset uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4}
	}
	switch r.verdict {
	case accept:
		add(&expr.Verdict{Kind: expr.VerdictAccept})
	case drop:
		add(&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
	case jump:
		add(&expr.Verdict{Kind: expr.VerdictJump, Chain: r.target})
	case byFrom:
		add(from, lookUp)
	case byTo:
		add(to, lookUp)
	case bySource:
		add(header(12), lookUp)
	case byDestination:
		add(header(16), lookUp)
	}
	return all
}
