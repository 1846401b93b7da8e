// The CNI plugins of a node as one executable: the name it is called by
// chooses the plugin. They share nearly all of their code, so together they
// take a quarter of the room that six programs do. All but network-policies
// are upstream's.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	hostlocal "github.com/containernetworking/plugins/plugins/ipam/host-local"
	"github.com/containernetworking/plugins/plugins/main/bridge"
	"github.com/containernetworking/plugins/plugins/main/loopback"
	"github.com/containernetworking/plugins/plugins/meta/bandwidth"
	"github.com/containernetworking/plugins/plugins/meta/firewall"
	"github.com/containernetworking/plugins/plugins/meta/portmap"

	"kagent.sh/components/cni/networkpolicies"
)

var plugins = map[string]func(){
	"bandwidth":        bandwidth.Main,
	"bridge":           bridge.Main,
	"firewall":         firewall.Main,
	"host-local":       hostlocal.Main,
	"loopback":         loopback.Main,
	"network-policies": networkpolicies.Main,
	"portmap":          portmap.Main,
}

func main() {
	plugin, ok := plugins[filepath.Base(os.Args[0])]
	if !ok {
		_, _ = fmt.Fprintf(os.Stderr, "%s is the name of no CNI plugin: call it by one of its links\n", os.Args[0])
		os.Exit(1)
	}
	plugin()
}
