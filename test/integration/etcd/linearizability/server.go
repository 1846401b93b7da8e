package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var errEnded = errors.New("the datastore ended")

const startTimeout = time.Minute

// server is one datastore with one folder, and one process at a time.
type server struct {
	command []string
	dir     string
	process *exec.Cmd
	output  strings.Builder
	ended   chan struct{}
}

func startServer(command []string) (*server, error) {
	dir, err := os.MkdirTemp("", "kagent-kills-")
	if err != nil {
		return nil, err
	}
	s := &server{command: command, dir: dir}
	return s, s.start()
}

func (s *server) socket() string {
	return filepath.Join(s.dir, "store.sock")
}

func (s *server) endpoint() string {
	return "unix://" + s.socket()
}

func (s *server) start() error {
	args := append(s.command[1:len(s.command):len(s.command)], "--data-dir", filepath.Join(s.dir, "data"), "--listen", s.endpoint())
	s.output.Reset()
	s.process = exec.Command(s.command[0], args...)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.ended = ended
	go func() {
		_ = s.process.Wait()
		close(ended)
	}()
	return s.awaitListener()
}

func (s *server) awaitListener() error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		if connection, err := net.Dial("unix", s.socket()); err == nil {
			return connection.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%w: %s", errEnded, s.output.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("the datastore does not listen after %s", startTimeout)
}

// killAfter lets it live for so long.
func (s *server) killAfter(delay time.Duration) {
	process := s.process.Process
	time.AfterFunc(delay, func() { _ = process.Signal(syscall.SIGKILL) })
}

// killed is closed when the process of now has ended.
func (s *server) killed() <-chan struct{} {
	return s.ended
}

// gaveUp says whether the process that has ended did so by itself, and its last words.
func (s *server) gaveUp() (bool, string) {
	return s.process.ProcessState.ExitCode() == 1, s.output.String()
}

func (s *server) remove() {
	_ = s.process.Process.Signal(syscall.SIGKILL)
	<-s.ended
	_ = os.RemoveAll(s.dir)
}
