package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"golang.org/x/sync/errgroup"
)

const (
	watchCount      = 50
	eventsPerSecond = 200
	// The longest that an event or an answer may take.
	patience = 10 * time.Second
)

// Watches is how long events take: from before the Txn is sent, and of it after the Txn's answer where they came later.
type Watches struct {
	Measurement
	AfterAnswerP50Ms float64 `json:"afterAnswerP50Ms"`
	AfterAnswerP99Ms float64 `json:"afterAnswerP99Ms"`
}

type write struct{ sent, answered time.Time }

type arrival struct {
	key string
	at  time.Time
}

// measureWatches creates objects at an even pace, which all watches see.
func measureWatches(ctx context.Context, options Options, clients []*kubernetes.Client) (any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := fmt.Sprintf("%swatched-%d/", created, time.Now().UnixNano())
	creates := int(options.duration.Seconds() * eventsPerSecond)

	var watching errgroup.Group
	arrivals := make([][]arrival, watchCount)
	for i := range watchCount {
		events, err := startWatch(ctx, clients[i%len(clients)], prefix)
		if err != nil {
			return nil, err
		}
		watching.Go(func() (err error) {
			arrivals[i], err = collect(events, creates)
			return err
		})
	}
	cpuBefore, clientBefore := cpuSeconds(options.serverPid), cpuSeconds(os.Getpid())
	began := time.Now()
	writes, err := createEvenly(ctx, clients[0], prefix, creates)
	if err == nil {
		err = watching.Wait()
	}
	if err != nil {
		return nil, err
	}

	var all, after []time.Duration
	for _, ofWatch := range arrivals {
		for _, arrival := range ofWatch {
			write := writes[arrival.key]
			all = append(all, arrival.at.Sub(write.sent))
			if arrival.at.After(write.answered) {
				after = append(after, arrival.at.Sub(write.answered))
			}
		}
	}
	result := Watches{Measurement: summary(all)}
	result.Seconds = time.Since(began).Seconds()
	result.CPUSeconds = cpuSeconds(options.serverPid) - cpuBefore
	result.ClientCPUSeconds = cpuSeconds(os.Getpid()) - clientBefore
	late := summary(after)
	result.AfterAnswerP50Ms, result.AfterAnswerP99Ms = late.P50Ms, late.P99Ms
	return result, nil
}

// startWatch waits until the server has confirmed the watch.
func startWatch(ctx context.Context, client *kubernetes.Client, prefix string) (clientv3.WatchChan, error) {
	events := client.Watch(clientv3.WithRequireLeader(ctx), prefix,
		clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithProgressNotify(), clientv3.WithCreatedNotify())
	select {
	case answer := <-events:
		if !answer.Created {
			return nil, fmt.Errorf("the watch was not created: %v", answer.Err())
		}
		return events, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("the watch was not created in time")
	}
}

func collect(events clientv3.WatchChan, expected int) ([]arrival, error) {
	arrivals := make([]arrival, 0, expected)
	for len(arrivals) < expected {
		select {
		case answer := <-events:
			at := time.Now()
			if err := answer.Err(); err != nil {
				return nil, err
			}
			for _, event := range answer.Events {
				arrivals = append(arrivals, arrival{string(event.Kv.Key), at})
			}
		case <-time.After(patience):
			return nil, fmt.Errorf("%d of %d events arrived", len(arrivals), expected)
		}
	}
	return arrivals, nil
}

// createEvenly does not wait for one answer before it sends the next: a slow one delays no other.
func createEvenly(
	ctx context.Context, client *kubernetes.Client, prefix string, count int,
) (map[string]write, error) {
	var group errgroup.Group
	var mutex sync.Mutex
	writes := make(map[string]write, count)
	value := newValue()
	pace := time.NewTicker(time.Second / eventsPerSecond)
	defer pace.Stop()
	for i := range count {
		<-pace.C
		group.Go(func() error {
			key := fmt.Sprintf("%s%d", prefix, i)
			sent := time.Now()
			_, err := put(ctx, client, key, value, 0)
			answered := time.Now()
			mutex.Lock()
			defer mutex.Unlock()
			writes[key] = write{sent, answered}
			return err
		})
	}
	return writes, group.Wait()
}

// measureProgress asks again and again how far a watch has come: what every consistent list from a cache waits for.
func measureProgress(ctx context.Context, options Options, client *kubernetes.Client) (any, error) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	events, err := startWatch(ctx, client, objects)
	if err != nil {
		return nil, err
	}
	var latencies []time.Duration
	cpuBefore, clientBefore := cpuSeconds(options.serverPid), cpuSeconds(os.Getpid())
	began := time.Now()
	for time.Since(began) < options.duration {
		asked := time.Now()
		if err := awaitProgress(ctx, client, events); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(asked))
	}
	result := summary(latencies)
	result.Seconds = time.Since(began).Seconds()
	result.CPUSeconds = cpuSeconds(options.serverPid) - cpuBefore
	result.ClientCPUSeconds = cpuSeconds(os.Getpid()) - clientBefore
	return result, nil
}

// awaitProgress asks, and asks again after a second: a server may leave a question out, as kine sometimes does.
// It passes over answers that say nothing, which kine sends for a new watch.
func awaitProgress(ctx context.Context, client *kubernetes.Client, events clientv3.WatchChan) error {
	timeout := time.After(patience)
	for {
		if err := client.RequestProgress(ctx); err != nil {
			return err
		}
		again := time.After(time.Second)
		for isAsked := true; isAsked; {
			select {
			case answer := <-events:
				if err := answer.Err(); err != nil {
					return err
				}
				if answer.IsProgressNotify() {
					return nil
				}
			case <-again:
				isAsked = false
			case <-timeout:
				return fmt.Errorf("no progress answer")
			}
		}
	}
}
