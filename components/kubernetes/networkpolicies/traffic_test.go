package networkpolicies

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The tests' program is also what runs in the pods of these tests: it serves,
// or connects, as its first argument says.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve":
			serve()
		case "connect":
			connectOnce(os.Args[2], os.Args[3])
		case "stream":
			stream(os.Args[2])
		}
	}
	os.Exit(m.Run())
}

// serve echoes at two ports, of both protocols and families, and answers SCTP at all, until its stdin ends.
func serve() {
	for _, port := range []string{":80", ":8080"} {
		listener, err := net.Listen("tcp", port)
		if err != nil {
			panic(err)
		}
		go echo(listener)
		packets, err := net.ListenPacket("udp", port)
		if err != nil {
			panic(err)
		}
		go func() {
			data := make([]byte, 100)
			for {
				if length, from, err := packets.ReadFrom(data); err == nil {
					_, _ = packets.WriteTo(data[:length], from)
				}
			}
		}()
	}
	go serveSCTP()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func echo(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(connection, connection) }()
	}
}

const patience = 300 * time.Millisecond

// connectOnce ends with 0 if a byte comes back.
func connectOnce(protocol, address string) {
	if protocol == "sctp" {
		connectSCTP(address)
	}
	connection, err := net.DialTimeout(protocol, address, patience)
	if err != nil {
		os.Exit(1)
	}
	_ = connection.SetDeadline(time.Now().Add(patience))
	_, _ = connection.Write([]byte("x"))
	if _, err := connection.Read(make([]byte, 1)); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// stream sends a byte for each line of stdin, and says whether one comes back.
func stream(address string) {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		_ = connection.SetDeadline(time.Now().Add(patience))
		_, _ = connection.Write([]byte("x"))
		_, err := connection.Read(make([]byte, 1))
		fmt.Println(err == nil)
	}
	os.Exit(0)
}

// place is a network namespace beside the node's, with a server in it.
type place struct {
	pid     int
	address string
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// talkTo starts a child that ends with the test.
func talkTo(t *testing.T, child *exec.Cmd) (io.Writer, *bufio.Reader) {
	t.Helper()
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	return stdin, bufio.NewReader(stdout)
}

// newPlace is linked to the node by a device of this name.
func newPlace(t *testing.T, device, address, gateway string) place {
	t.Helper()
	child := exec.Command("unshare", "--net", "sh", "-c", `read _; exec "$0" serve`, os.Args[0])
	stdin, answers := talkTo(t, child)
	p := place{pid: child.Process.Pid, address: address}
	eventually(t, "apart", func() bool {
		own, _ := os.Readlink("/proc/thread-self/ns/net")
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p.pid))
		return err == nil && its != own
	})
	must(t, "ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(p.pid))
	must(t, "ip", "link", "set", device, "up")
	p.must(t, "ip", "link", "set", "lo", "up")
	p.must(t, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad")
	p.must(t, "ip", "link", "set", "eth0", "up")
	p.must(t, "ip", "address", "add", address+"/24", "dev", "eth0")
	p.must(t, "ip", "route", "add", "default", "via", gateway)
	fmt.Fprintln(stdin)
	if line, err := answers.ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	return p
}

func (p place) args(command ...string) []string {
	return append([]string{"-t", strconv.Itoa(p.pid), "-n"}, command...)
}

func (p place) must(t *testing.T, command ...string) string {
	t.Helper()
	return must(t, "nsenter", p.args(command...)...)
}

func (p place) reaches(protocol, address string) bool {
	return exec.Command("nsenter", p.args(os.Args[0], "connect", protocol, address)...).Run() == nil
}

// site is a node with two pods on its bridge, a Service of one of them, and
// somebody outside.
type site struct {
	kernel              *kernel
	web, client, beyond place
}

const (
	nodeAddress    = "10.42.0.1"
	serviceAddress = "10.43.0.9"
)

func newSite(t *testing.T) site {
	t.Helper()
	k := newTestKernel(t)
	must(t, "ip", "link", "set", "lo", "up")
	must(t, "ip", "link", "add", "cni0", "type", "bridge")
	must(t, "ip", "link", "set", "cni0", "up")
	must(t, "ip", "address", "add", nodeAddress+"/24", "dev", "cni0")
	must(t, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables; echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables; "+
		"echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter")
	s := site{kernel: k}
	s.web = newPlace(t, "v-web", web, nodeAddress)
	s.client = newPlace(t, "v-client", client, nodeAddress)
	for _, device := range []string{"v-web", "v-client"} {
		must(t, "ip", "link", "set", device, "master", "cni0")
		must(t, "ip", "link", "set", device, "type", "bridge_slave", "hairpin", "on")
	}
	s.beyond = newPlace(t, "v-beyond", world, "192.0.2.1")
	must(t, "ip", "address", "add", "192.0.2.1/24", "dev", "v-beyond")
	// As kube-proxy: the Service leads to the pod, and a pod to itself has another source.
	nft(t, "add table ip services; add chain ip services pre { type nat hook prerouting priority -100; }; add chain ip services post { type nat hook postrouting priority 100; }; "+
		"add rule ip services pre ip daddr "+serviceAddress+" tcp dport 8000 dnat to "+web+":80; add rule ip services post ip saddr "+web+" ip daddr "+web+" masquerade")
	return s
}

func (s site) apply(t *testing.T, policies string) {
	t.Helper()
	wanted := ruleset{}
	if policies != "" {
		wanted = compile(cluster(t, policies))
	}
	if err := s.kernel.apply(wanted); err != nil {
		t.Fatal(err)
	}
}

func TestPacketsPassAsPoliciesSay(t *testing.T) {
	s := newSite(t)
	type attempt struct {
		from         place
		protocol, to string
	}
	fromNode := func(to string) bool { return exec.Command(os.Args[0], "connect", "tcp", to).Run() == nil }
	own := strings.Fields(s.web.must(t, "ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "link"))
	linkLocal := "[" + strings.TrimSuffix(own[3], "/64") + "%eth0]:80"
	all := map[string]attempt{
		"client > web":         {s.client, "tcp", web + ":80"},
		"client > web:8080":    {s.client, "tcp", web + ":8080"},
		"client > web udp":     {s.client, "udp", web + ":80"},
		"client > service":     {s.client, "tcp", serviceAddress + ":8000"},
		"client > link-local":  {s.client, "tcp", linkLocal},
		"client > beyond":      {s.client, "tcp", world + ":80"},
		"web > client":         {s.web, "tcp", client + ":80"},
		"web > web":            {s.web, "tcp", web + ":80"},
		"web > web by service": {s.web, "tcp", serviceAddress + ":8000"},
		"web > beyond":         {s.web, "tcp", world + ":80"},
		"beyond > web":         {s.beyond, "tcp", web + ":80"},
		"beyond > web udp":     {s.beyond, "udp", web + ":80"},
		"beyond > service":     {s.beyond, "tcp", serviceAddress + ":8000"},
	}
	for _, test := range []struct {
		name, policies string
		ends           string
	}{
		{"no policy", "", ""},
		{"nothing into web", "{podSelector: {matchLabels: {app: web}}}",
			"client > web, client > web:8080, client > web udp, client > service, client > link-local, beyond > web, beyond > web udp, beyond > service"},
		{"the client into web", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]}",
			"client > web:8080, client > web udp, client > link-local, beyond > web, beyond > web udp, beyond > service"},
		{"beyond into web", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}",
			"client > web, client > web:8080, client > web udp, client > service, client > link-local"},
		{"all but beyond into web", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.0/24]}}]}]}",
			"client > link-local, beyond > web, beyond > web udp, beyond > service"},
		{"nothing out of the client", "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress]}",
			"client > web, client > web:8080, client > web udp, client > service, client > link-local, client > beyond"},
		{"the client to web", "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: UDP}, {port: 80, endPort: 90}]}]}",
			"client > web:8080, client > link-local, client > beyond"},
		{"out of one and into the other", "{podSelector: {matchLabels: {app: client}}, egress: [{}], policyTypes: [Egress]}\n---\n{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}]}]}",
			"client > web, client > web udp, client > service, client > link-local, beyond > web, beyond > web udp, beyond > service"},
	} {
		s.apply(t, test.policies)
		results := make(chan string, len(all))
		for name, each := range all {
			go func() {
				// Another thread is in another network: the pods' are entered by nsenter.
				if each.from.reaches(each.protocol, each.to) {
					name = ""
				}
				results <- name
			}()
		}
		ended := map[string]bool{}
		for range all {
			if name := <-results; name != "" {
				ended[name] = true
			}
		}
		wanted := map[string]bool{}
		for name := range strings.SplitSeq(test.ends, ", ") {
			if name != "" {
				wanted[name] = true
			}
		}
		if got, want := fmt.Sprint(sortedKeys(ended)), fmt.Sprint(sortedKeys(wanted)); got != want {
			t.Errorf("%s: what does not pass is\n%s\nand should be\n%s\n%s", test.name, got, want, nft(t, "list", "ruleset"))
		}
		if !fromNode(web+":80") || !fromNode(client+":80") {
			t.Errorf("%s: the node does not reach its own pod", test.name)
		}
	}
}

func TestWhatAPodSendsToItsNodeIsJudgedToo(t *testing.T) {
	s := newSite(t)
	listener, err := net.Listen("tcp", nodeAddress+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)
	for policies, want := range map[string]bool{
		"": true,
		"{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress]}":                             false,
		"{podSelector: {matchLabels: {app: client}}, egress: [{to: [{ipBlock: {cidr: 10.42.0.1/32}}]}]}": true,
		"{podSelector: {matchLabels: {app: client}}, egress: [{to: [{ipBlock: {cidr: 10.42.0.2/32}}]}]}": false,
		"{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}":                                true,
		"{podSelector: {matchLabels: {app: client}}, policyTypes: [Ingress]}":                            true,
	} {
		s.apply(t, policies)
		if got := s.client.reaches("tcp", listener.Addr().String()); got != want {
			t.Errorf("%s: a pod reaches its node: %v", policies, got)
		}
	}
}

func TestAConnectionEndsWithWhatAllowedIt(t *testing.T) {
	s := newSite(t)
	stdin, answers := talkTo(t, exec.Command("nsenter", s.client.args(os.Args[0], "stream", web+":80")...))
	for _, test := range []struct {
		policies string
		passes   string
	}{
		{"", "true\n"},
		{"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}", "true\n"},
		{"{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: other}}}]}]}", "false\n"},
	} {
		s.apply(t, test.policies)
		fmt.Fprintln(stdin)
		if got, err := answers.ReadString('\n'); got != test.passes {
			t.Errorf("%q: a byte passes: %s (%v)", test.policies, got, err)
		}
	}
}

func TestTheHostsOwnRulesJudgeWhatAPolicyAccepts(t *testing.T) {
	s := newSite(t)
	nft(t, "add table inet host; add chain inet host forward { type filter hook forward priority 0; policy drop; }; "+
		"add rule inet host forward ct state established accept; add rule inet host forward ip saddr "+client+" accept")
	s.apply(t, "{podSelector: {matchLabels: {app: web}}, ingress: [{}]}")
	if !s.client.reaches("tcp", web+":80") {
		t.Error("what both accept does not pass")
	}
	if s.beyond.reaches("tcp", web+":80") {
		t.Error("what the host drops passes")
	}
}
