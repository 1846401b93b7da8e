package flanneld

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"testing"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
)

type fakeManager struct {
	subnet.Manager
	events []lease.Event
}

func (f fakeManager) WatchLeases(_ context.Context, receiver chan []lease.LeaseWatchResult) error {
	for _, event := range f.events {
		receiver <- []lease.LeaseWatchResult{{Events: []lease.Event{event}}}
	}
	close(receiver)
	return nil
}

func leaseFor(cidr, publicIP, mac string) lease.Lease {
	_, network, _ := net.ParseCIDR(cidr)
	address, _ := ip.ParseIP4(publicIP)
	data := json.RawMessage(`{"VNI":1,"VtepMAC":"` + mac + `"}`)
	return lease.Lease{EnableIPv4: true, Subnet: ip.FromIPNet(network), Attrs: lease.LeaseAttrs{PublicIP: address, BackendType: "vxlan", BackendData: data}}
}

// watched says, in order, which node's lease a backend hears of.
func watched(t *testing.T, now []lease.Lease, events ...lease.Event) (heard []string, asked int) {
	t.Helper()
	m := restoring{Manager: fakeManager{events: events}, leases: func(context.Context) ([]lease.Lease, error) {
		asked++
		return now, nil
	}}
	receiver := make(chan []lease.LeaseWatchResult)
	go func() { _ = m.WatchLeases(t.Context(), receiver) }()
	for results := range receiver {
		for _, event := range results[0].Events {
			sign := "+"
			if event.Type == lease.EventRemoved {
				sign = "-"
			}
			heard = append(heard, sign+event.Lease.Attrs.PublicIP.String())
		}
	}
	return heard, asked
}

func added(l lease.Lease) lease.Event   { return lease.Event{Type: lease.EventAdded, Lease: l} }
func removed(l lease.Lease) lease.Event { return lease.Event{Type: lease.EventRemoved, Lease: l} }

func TestRouteOfANodeStaysWhenAnotherThatHadItsSubnetGoes(t *testing.T) {
	victim := leaseFor("10.42.1.0/24", "192.0.2.1", "02:00:00:00:00:01")
	other := leaseFor("10.42.2.0/24", "192.0.2.2", "02:00:00:00:00:02")
	attacker := leaseFor("10.42.1.0/24", "192.0.2.66", "02:00:00:00:00:66")
	heard, _ := watched(t, []lease.Lease{victim, other}, added(victim), added(other), added(attacker), removed(attacker))
	if want := []string{"+192.0.2.1", "+192.0.2.2", "+192.0.2.66", "-192.0.2.66", "+192.0.2.1"}; !slices.Equal(heard, want) {
		t.Errorf("the backend heard %v, not %v", heard, want)
	}
}

func TestNeighbourOfANodeStaysWhenAnotherThatHadItsAddressGoes(t *testing.T) {
	victim := leaseFor("10.42.1.0/24", "192.0.2.1", "02:00:00:00:00:01")
	attacker := leaseFor("10.42.6.0/24", "192.0.2.66", "02:00:00:00:00:01")
	heard, _ := watched(t, []lease.Lease{victim}, added(victim), added(attacker), removed(attacker))
	if want := []string{"+192.0.2.1", "+192.0.2.66", "-192.0.2.66", "+192.0.2.1"}; !slices.Equal(heard, want) {
		t.Errorf("the backend heard %v, not %v", heard, want)
	}
}

func TestNodesAreNotAskedForWhereNothingWasShared(t *testing.T) {
	a := leaseFor("10.42.1.0/24", "192.0.2.1", "02:00:00:00:00:01")
	b := leaseFor("10.42.2.0/24", "192.0.2.2", "02:00:00:00:00:02")
	heard, asked := watched(t, []lease.Lease{b}, added(a), added(b), removed(a))
	if asked != 0 || len(heard) != 3 {
		t.Errorf("asked %d times, heard %v", asked, heard)
	}
}

func TestANodeThatIsGoneIsNotRoutedAgain(t *testing.T) {
	before := leaseFor("10.42.1.0/24", "192.0.2.1", "02:00:00:00:00:01")
	after := leaseFor("10.42.1.0/24", "192.0.2.9", "02:00:00:00:00:09") // the same node, with another address
	heard, _ := watched(t, nil, added(before), added(after), removed(after))
	if want := []string{"+192.0.2.1", "+192.0.2.9", "-192.0.2.9"}; !slices.Equal(heard, want) {
		t.Errorf("the backend heard %v, not %v", heard, want)
	}
}
