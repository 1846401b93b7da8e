package flanneld

import (
	"bufio"
	"context"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/trafficmngr"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
	"k8s.io/klog/v2"
)

// setupTraffic writes the firewall rules that let pods' packets pass and, with
// --ip-masq, masquerade those that leave the cluster. The network
// configuration chooses iptables or nftables; the other one's rules of an
// earlier run are removed.
func setupTraffic(ctx context.Context, config *subnet.Config, lease *lease.Lease, opts options) error {
	var chosen, other trafficmngr.TrafficManager = &iptables.IPTablesManager{}, &nftables.NFTablesManager{}
	if config.EnableNFTables {
		chosen, other = other, chosen
	}
	go func() { // pods need not wait: the two do not touch each other's rules
		if err := other.CleanUp(ctx); err != nil {
			klog.V(2).Infof("nothing removed of the unused firewall: %v", err) // its program may not be installed
		}
	}()
	if err := chosen.Init(ctx); err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	resyncSeconds := int(opts.firewallResync.Seconds())
	if opts.ipMasq {
		previous := readSubnetFile(opts.subnetFile)
		err := chosen.SetupAndEnsureMasqRules(ctx,
			config.Network, previous.ip4("FLANNEL_SUBNET"), previous.ip4("FLANNEL_NETWORK"),
			config.IPv6Network, previous.ip6("FLANNEL_IPV6_SUBNET"), previous.ip6("FLANNEL_IPV6_NETWORK"),
			lease, resyncSeconds, false)
		if err != nil {
			return fmt.Errorf("masquerade rules: %w", err)
		}
	}
	chosen.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, resyncSeconds)
	return nil
}

// subnetFile is what an earlier run wrote: its rules are replaced if the
// node's subnet has changed since.
type subnetFile map[string]*net.IPNet

func readSubnetFile(path string) subnetFile {
	values := subnetFile{}
	file, err := os.Open(path)
	if err != nil {
		return values // the first run
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if _, cidr, err := net.ParseCIDR(value); err == nil {
			values[key] = cidr
		}
	}
	return values
}

func (f subnetFile) ip4(key string) ip.IP4Net {
	if cidr, ok := f[key]; ok {
		return ip.FromIPNet(cidr)
	}
	return ip.IP4Net{}
}

func (f subnetFile) ip6(key string) ip.IP6Net {
	if cidr, ok := f[key]; ok {
		return ip.FromIP6Net(cidr)
	}
	return ip.IP6Net{IP: (*ip.IP6)(big.NewInt(0))}
}
