package networkpolicies

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"time"

	"k8s.io/klog/v2"
)

// request is a line from the CNI plugin (add, remove: the pod) or from kagent
// (ask: "ready" or "live").
type request struct {
	Add    *record `json:"add,omitempty"`
	Remove *record `json:"remove,omitempty"`
	Ask    string  `json:"ask,omitempty"`
}

// reply is the line that answers it; without an error it is done.
type reply struct {
	Error string `json:"error,omitempty"`
}

// requestTime is for a request to arrive; its answer may take longer.
const requestTime = 5 * time.Second

// listen makes the socket anew, for root alone.
func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, 0o600)
}

// answerRequests returns when ctx ends.
func answerRequests(ctx context.Context, listener net.Listener, answer func(context.Context, request) error) {
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	for {
		connection, err := listener.Accept()
		if err != nil {
			if ctx.Err() == nil {
				klog.Errorf("no request can be answered any more: %v", err)
			}
			return
		}
		go answerOne(ctx, connection, answer)
	}
}

func answerOne(ctx context.Context, connection net.Conn, answer func(context.Context, request) error) {
	defer connection.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = connection.SetReadDeadline(time.Now().Add(requestTime))
	lines := bufio.NewReader(connection)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return // who asks has gone
	}
	go func() { // who no longer waits needs no answer
		_ = connection.SetReadDeadline(time.Time{})
		_, _ = lines.ReadByte()
		cancel()
	}()
	var asked request
	var said reply
	if err := json.Unmarshal(line, &asked); err != nil {
		said.Error = "the request is not understood: " + err.Error()
	} else if err := answer(ctx, asked); err != nil {
		said.Error = err.Error()
	}
	_ = json.NewEncoder(connection).Encode(said)
}
