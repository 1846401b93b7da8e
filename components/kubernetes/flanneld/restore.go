package flanneld

import (
	"context"
	"encoding/json"
	"fmt"
	"net"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
)

// restoring gives back what the removal of one node takes from others.
//
// A backend knows a route by its subnet, and a neighbour by the address or
// key in the backend's data. Where two nodes had the same, the one that goes
// takes the other's along. That should not happen; but a node object may say
// anything, and the route of a node that still runs must not stay away.
type restoring struct {
	subnet.Manager
	// leases are those of all nodes there are now.
	leases func(context.Context) ([]lease.Lease, error)
}

func (m restoring) WatchLeases(ctx context.Context, receiver chan []lease.LeaseWatchResult) error {
	inner := make(chan []lease.LeaseWatchResult)
	failed := make(chan error, 1)
	go func() { failed <- m.Manager.WatchLeases(ctx, inner) }()
	seen := claims{}
	for results := range inner { // closed when ctx ends
		receiver <- results
		for _, result := range results {
			for _, event := range result.Events {
				if added := m.afterEvent(ctx, seen, event); len(added) > 0 {
					receiver <- []lease.LeaseWatchResult{{Events: added}}
				}
			}
		}
	}
	close(receiver)
	return <-failed
}

// afterEvent returns what has to be added again. The nodes are asked for only
// if two have claimed the same since this process started: else the removal
// of a node in a big cluster would have every node list all others.
func (m restoring) afterEvent(ctx context.Context, seen claims, event lease.Event) []lease.Event {
	if event.Type == lease.EventAdded {
		seen.add(event.Lease)
		return nil
	}
	if !seen.areShared(event.Lease) {
		return nil
	}
	now, err := m.leases(ctx)
	if err != nil {
		klog.Errorf("routes of nodes that shared something with %s may be missing: %v", event.Lease.Subnet, err)
		return nil
	}
	var added []lease.Event
	for _, one := range now {
		if overlap(one, event.Lease) {
			klog.Warningf("subnet %s of a node at %s is routed again: another node had claimed the same", one.Subnet, one.Attrs.PublicIP)
			added = append(added, lease.Event{Type: lease.EventAdded, Lease: one})
		}
	}
	return added
}

// claims has, for each thing that should be one node's, who has claimed it.
type claims map[string]map[string]bool

func (c claims) add(l lease.Lease) {
	for _, thing := range things(l) {
		if c[thing] == nil {
			c[thing] = map[string]bool{}
		}
		c[thing][identity(l)] = true
	}
}

func (c claims) areShared(l lease.Lease) bool {
	for _, thing := range things(l) {
		if len(c[thing]) > 1 {
			return true
		}
	}
	return false
}

func overlap(a, b lease.Lease) bool {
	for _, one := range things(a) {
		for _, other := range things(b) {
			if one == other {
				return true
			}
		}
	}
	return false
}

func things(l lease.Lease) []string {
	all := []string{"subnet " + l.Subnet.String()}
	if data := string(l.Attrs.BackendData); data != "" && data != "null" {
		all = append(all, "data "+data)
	}
	return all
}

func identity(l lease.Lease) string {
	return fmt.Sprintf("%s %s %s", l.Subnet, l.Attrs.PublicIP, l.Attrs.BackendData)
}

// leasesOf makes flannel's leases of the nodes, as its subnet manager does.
func leasesOf(client kubernetes.Interface) func(context.Context) ([]lease.Lease, error) {
	return func(ctx context.Context) ([]lease.Lease, error) {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		var all []lease.Lease
		for i := range nodes.Items {
			if l, ok := leaseOf(&nodes.Items[i]); ok {
				all = append(all, l)
			}
		}
		return all, nil
	}
}

func leaseOf(node *corev1.Node) (lease.Lease, bool) {
	annotation := func(name string) string { return node.Annotations[annotationPrefix+"/"+name] }
	_, cidr, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil || cidr.IP.To4() == nil || annotation("kube-subnet-manager") != "true" {
		return lease.Lease{}, false
	}
	publicIP, err := ip.ParseIP4(annotation("public-ip"))
	if err != nil {
		return lease.Lease{}, false
	}
	return lease.Lease{
		EnableIPv4: true,
		Subnet:     ip.FromIPNet(cidr),
		Attrs: lease.LeaseAttrs{
			PublicIP:    publicIP,
			BackendType: annotation("backend-type"),
			BackendData: json.RawMessage(annotation("backend-data")),
		},
	}, true
}
