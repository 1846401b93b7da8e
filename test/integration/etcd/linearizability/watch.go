package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// follower watches all keys from the beginning on; the client picks the watch up again after each kill.
type follower struct {
	cancel context.CancelFunc
	client *clientv3.Client
	ended  chan struct{}

	mutex    sync.Mutex
	revision int64 // of the newest event
	events   map[int64]map[string]int64
	count    int
	fault    error

	promised []promise
}

// promise is an acknowledged write, and so an event that must come.
type promise struct {
	revision int64
	key      string
	value    int64 // 0: a deletion
}

func followAll(endpoint string, from int64) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{
		cancel: cancel, client: connect(endpoint), ended: make(chan struct{}),
		revision: from - 1, events: map[int64]map[string]int64{},
	}
	channel := f.client.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(from))
	go func() {
		defer close(f.ended)
		for response := range channel {
			f.take(response)
		}
	}()
	return f
}

// take checks the order: every revision writes to these keys, so none may be missing, and none may come twice.
func (f *follower) take(response clientv3.WatchResponse) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if err := response.Err(); err != nil && f.fault == nil {
		f.fault = fmt.Errorf("the watch ended: %w", err)
	}
	before := f.revision // a revision's events come in one response
	for _, event := range response.Events {
		revision := event.Kv.ModRevision
		if revision <= before || revision < f.revision || revision > f.revision+1 {
			f.fail("an event of revision %d after one of %d", revision, f.revision)
		}
		f.revision = revision
		keys := f.events[revision]
		if keys == nil {
			keys = map[string]int64{}
			f.events[revision] = keys
		}
		if _, isThere := keys[string(event.Kv.Key)]; isThere {
			f.fail("two events of revision %d for %s", revision, event.Kv.Key)
		}
		value, _ := strconv.ParseInt(string(event.Kv.Value), 10, 64)
		keys[string(event.Kv.Key)] = value
		f.count++
	}
}

func (f *follower) fail(format string, values ...any) {
	if f.fault == nil {
		f.fault = fmt.Errorf("watch: "+format, values...)
	}
}

// expect remembers what the acknowledged writes of a round promise.
func (f *follower) expect(h *history) {
	for _, operation := range h.operations {
		in, out := operation.Input.(input), operation.Output.(output)
		if out.isUnknown {
			continue
		}
		switch {
		case in.op == opPut, in.op == opCompareAndSwap && out.succeeded:
			f.promised = append(f.promised, promise{out.revision, keyName(in.key), in.value})
		case in.op == opPutTwo:
			f.promised = append(f.promised, promise{out.revision, keyName(in.key), in.value},
				promise{out.revision, keyName(in.other), in.value})
		case in.op == opDelete && out.succeeded:
			f.promised = append(f.promised, promise{out.revision, keyName(in.key), 0})
		}
	}
}

// finish waits until the watch has seen `last`, and says how many events it saw in all.
func (f *follower) finish(last int64) (int, error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f.mutex.Lock()
		revision, fault := f.revision, f.fault
		f.mutex.Unlock()
		if fault != nil {
			return 0, fault
		}
		if revision >= last {
			break
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("the watch stands at revision %d of %d", revision, last)
		}
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, promised := range f.promised {
		if value, isThere := f.events[promised.revision][promised.key]; !isThere || value != promised.value {
			return 0, fmt.Errorf("watch: no event for the acknowledged write %+v", promised)
		}
	}
	return f.count, nil
}

func (f *follower) stop() {
	f.cancel()
	_ = f.client.Close()
	<-f.ended
}
