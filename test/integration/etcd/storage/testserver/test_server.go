// Package testserver takes the place of k8s.io/apiserver/pkg/storage/etcd3/testserver when upstream's tests are built
// (go build's -overlay): where theirs starts an etcd inside the test, this one starts a kagent datastore beside it.
// Everything else of those tests is upstream's, word for word.
package testserver

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/embed"
	storagetesting "k8s.io/apiserver/pkg/storage/testing"
)

// serveVariable holds, as a JSON list, the command that serves a datastore.
const serveVariable = "KAGENT_TEST_SERVE"

const startTimeout = 60 * time.Second

// NewTestConfig is what upstream's tests change before they hand it to RunEtcd.
func NewTestConfig(testing.TB) *embed.Config {
	return embed.NewConfig()
}

// RunEtcd starts a datastore that ends with the test, and gives a client that is connected to it.
func RunEtcd(t testing.TB, cfg *embed.Config) *kubernetes.Client {
	t.Helper()
	if cfg == nil {
		cfg = NewTestConfig(t)
	}
	dir, err := os.MkdirTemp("", "kagent-storage-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	endpoint := listenURL(t, cfg, dir)
	serve(t, cfg, dir, endpoint)

	config := clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second}
	if isTLS(cfg) {
		if config.TLS, err = cfg.ClientTLSInfo.ClientConfig(); err != nil {
			t.Fatal(err)
		}
	}
	client, err := kubernetes.New(config)
	if err != nil {
		t.Fatal(err)
	}
	recorder := storagetesting.NewKubernetesRecorder(client.Kubernetes)
	client.KV = storagetesting.NewKVRecorder(client.KV, recorder)
	client.Kubernetes = recorder
	return client
}

func isTLS(cfg *embed.Config) bool {
	return cfg.ClientTLSInfo.CertFile != ""
}

func listenURL(t testing.TB, cfg *embed.Config, dir string) string {
	if !isTLS(cfg) {
		return "unix://" + filepath.Join(dir, "store.sock")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return (&url.URL{Scheme: "https", Host: listener.Addr().String()}).String()
}

func serve(t testing.TB, cfg *embed.Config, dir, endpoint string) {
	var command []string
	if err := json.Unmarshal([]byte(os.Getenv(serveVariable)), &command); err != nil || len(command) == 0 {
		t.Fatalf("%s is no list of words: %v", serveVariable, err)
	}
	args := append(command[1:], "--data-dir", filepath.Join(dir, "data"), "--listen", endpoint,
		"--watch-progress-notify-interval", cfg.WatchProgressNotifyInterval.String())
	if cfg.QuotaBackendBytes > 0 {
		args = append(args, "--quota-backend-bytes", fmt.Sprint(cfg.QuotaBackendBytes))
	}
	if isTLS(cfg) {
		tls := cfg.ClientTLSInfo
		args = append(args, "--cert-file", tls.CertFile, "--key-file", tls.KeyFile,
			"--trusted-ca-file", tls.TrustedCAFile)
	}
	var output strings.Builder
	child := exec.Command(command[0], args...)
	child.Stdout, child.Stderr = &output, &output
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = child.Wait()
		close(ended)
	}()
	var stop sync.Once
	t.Cleanup(func() {
		stop.Do(func() { _ = child.Process.Signal(syscall.SIGTERM) })
		<-ended
	})
	awaitListener(t, endpoint, ended, &output)
}

func awaitListener(t testing.TB, endpoint string, ended <-chan struct{}, output *strings.Builder) {
	network, address := "tcp", strings.TrimPrefix(endpoint, "https://")
	if path, isUnix := strings.CutPrefix(endpoint, "unix://"); isUnix {
		network, address = "unix", path
	}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if connection, err := net.Dial(network, address); err == nil {
			_ = connection.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("the datastore ended: %s", output)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("the datastore does not listen")
}
