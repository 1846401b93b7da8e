// Added to etcd's own test framework (its package integration) by upstream.ts: the members of a cluster are etcd's, and
// what clients ask over their sockets is answered by one kagent datastore for all of them.
package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
)

// serveVariable holds, as a JSON list, the command that serves a datastore.
const serveVariable = "KAGENT_TEST_SERVE"

const startTimeout = 60 * time.Second

// datastore is the one of a cluster. Its folder outlives the process: members are stopped and started again.
type datastore struct {
	dir     string
	members int
	network string
	address string
	child   *exec.Cmd
	ended   chan struct{}
}

var (
	datastoresMutex sync.Mutex
	// By what the members of a cluster have in common.
	datastores = map[string]*datastore{}
)

// serveKagent answers what comes in at the member's socket until the member is closed.
func serveKagent(m *Member) {
	cluster := m.InitialPeerURLsMap.String()
	datastoresMutex.Lock()
	store := datastores[cluster]
	if store == nil {
		store = &datastore{dir: filepath.Join(filepath.Dir(m.DataDir), "kagent")}
		datastores[cluster] = store
	}
	if store.members == 0 {
		store.start(m)
	}
	store.members++
	datastoresMutex.Unlock()

	relay := &relay{listener: m.GRPCListener, store: store, open: map[net.Conn]bool{}}
	go relay.accept()
	m.ServerClosers = append(m.ServerClosers, func() {
		relay.close()
		datastoresMutex.Lock()
		defer datastoresMutex.Unlock()
		store.members--
		if store.members == 0 {
			store.stop()
		}
	})
}

func (s *datastore) start(m *Member) {
	var command []string
	if err := json.Unmarshal([]byte(os.Getenv(serveVariable)), &command); err != nil || len(command) == 0 {
		panic(fmt.Sprintf("%s is no list of words: %v", serveVariable, err))
	}
	endpoint := s.listen(m)
	args := append(command[1:], "--data-dir", s.dir, "--listen", endpoint,
		"--watch-progress-notify-interval", progressInterval(m).String())
	if m.QuotaBackendBytes > 0 {
		args = append(args, "--quota-backend-bytes", fmt.Sprint(m.QuotaBackendBytes))
	}
	if tls := m.ClientTLSInfo; tls != nil {
		args = append(args, "--cert-file", tls.CertFile, "--key-file", tls.KeyFile, "--trusted-ca-file", tls.TrustedCAFile)
	}
	var output strings.Builder
	s.child = exec.Command(command[0], args...)
	s.child.Stdout, s.child.Stderr = &output, &output
	s.child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.child.Start(); err != nil {
		panic(err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func() {
		_ = s.child.Wait()
		close(ended)
	}()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if connection, err := net.Dial(s.network, s.address); err == nil {
			_ = connection.Close()
			return
		}
		select {
		case <-ended:
			panic("the datastore ended: " + output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	panic("the datastore does not listen")
}

// listen chooses an address of the kind that the member's clients speak; TLS passes through the relay as it is.
func (s *datastore) listen(m *Member) string {
	if m.ClientTLSInfo == nil {
		s.network, s.address = "unix", s.dir+".sock"
		return "unix://" + s.address
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	s.network, s.address = "tcp", listener.Addr().String()
	return (&url.URL{Scheme: "https", Host: s.address}).String()
}

// progressInterval is the member's, or what a test has set for all servers of its process.
func progressInterval(m *Member) time.Duration {
	if m.WatchProgressNotifyInterval > 0 {
		return m.WatchProgressNotifyInterval
	}
	return v3rpc.GetProgressReportInterval()
}

func (s *datastore) stop() {
	_ = s.child.Process.Signal(syscall.SIGTERM)
	<-s.ended
}

// relay passes bytes on.
type relay struct {
	listener net.Listener
	store    *datastore
	mutex    sync.Mutex
	open     map[net.Conn]bool
	isClosed bool
	running  sync.WaitGroup
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial(r.store.network, r.store.address)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !r.keep(client, server) {
			return
		}
		go r.copy(client, server)
		go r.copy(server, client)
	}
}

func (r *relay) keep(connections ...net.Conn) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, connection := range connections {
		if r.isClosed {
			_ = connection.Close()
			continue
		}
		r.open[connection] = true
		r.running.Add(1)
	}
	return !r.isClosed
}

func (r *relay) copy(to, from net.Conn) {
	defer r.running.Done()
	_, _ = io.Copy(to, from)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, connection := range []net.Conn{to, from} {
		_ = connection.Close()
		delete(r.open, connection)
	}
}

func (r *relay) close() {
	_ = r.listener.Close()
	r.mutex.Lock()
	r.isClosed = true
	for connection := range r.open {
		_ = connection.Close()
	}
	r.mutex.Unlock()
	r.running.Wait()
}
