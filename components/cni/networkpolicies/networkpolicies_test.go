package networkpolicies

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
)

// served answers one request, after a while in which nobody listens.
func served(t *testing.T, after time.Duration, answer string) (path string, asked chan string) {
	t.Helper()
	path, asked = filepath.Join(t.TempDir(), "socket"), make(chan string, 1)
	go func() {
		time.Sleep(after)
		listener, err := net.Listen("unix", path)
		if err != nil {
			return
		}
		defer listener.Close()
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		line, _ := bufio.NewReader(connection).ReadString('\n')
		fmt.Fprintln(connection, answer)
		connection.Close()
		asked <- strings.TrimSpace(line)
	}()
	return path, asked
}

func argsFor(path string) *skel.CmdArgs {
	return &skel.CmdArgs{
		ContainerID: "c1",
		Args:        "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u1",
		StdinData: fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"kagent","type":"network-policies","socket":%q,
			"prevResult":{"cniVersion":"1.0.0","ips":[{"address":"fd00::2/64"},{"address":"10.42.0.7/24"}]}}`, path),
	}
}

func TestAPodIsToldOfAndTheResultIsPassedOn(t *testing.T) {
	path, asked := served(t, 100*time.Millisecond, "{}")
	stdout := os.Stdout
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = writer
	err = add(argsFor(path))
	os.Stdout = stdout
	writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"add":{"namespace":"default","name":"web","uid":"u1","containerID":"c1","address":"10.42.0.7"}}`
	if got := <-asked; got != want {
		t.Error(got)
	}
	var result struct {
		IPs []struct{ Address string }
	}
	if err := json.NewDecoder(reader).Decode(&result); err != nil || len(result.IPs) != 2 {
		t.Error(result, err)
	}
}

func TestAPodWithoutItsRulesDoesNotStart(t *testing.T) {
	path, _ := served(t, 0, `{"error":"not yet"}`)
	if err := add(argsFor(path)); err == nil || err.Error() != "network policies: not yet" {
		t.Error(err)
	}
}

func TestAPodEndsWhoeverListens(t *testing.T) {
	path, asked := served(t, 0, "{}")
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	if err := remove(argsFor(path)); err != nil {
		t.Error(err)
	}
	if got := <-asked; got != `{"remove":{"containerID":"c1"}}` {
		t.Error(got)
	}
	if err := remove(argsFor(path + "-of-nobody")); err != nil {
		t.Error(err)
	}
}
