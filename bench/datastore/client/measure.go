package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"golang.org/x/sync/errgroup"
)

// A Measurement is what the bench gets; times of the server's CPU are of all its threads.
type Measurement struct {
	Operations int     `json:"operations"`
	Seconds    float64 `json:"seconds"`
	P50Ms      float64 `json:"p50Ms"`
	P99Ms      float64 `json:"p99Ms"`
	CPUSeconds float64 `json:"cpuSeconds"`
	// What the load itself costs: the machine has the rest for the server.
	ClientCPUSeconds float64 `json:"clientCpuSeconds"`
}

// mixedWatches are open during the mixed load: one on everything, the others each on a namespace.
const mixedWatches = 11

func measureOperation(ctx context.Context, options Options, clients []*kubernetes.Client) (any, error) {
	operation, ok := operations[options.operation]
	if !ok {
		return nil, fmt.Errorf("no such operation")
	}
	all, err := workers(ctx, options, clients)
	if err != nil {
		return nil, err
	}
	if options.operation == "mixed" {
		stop := openWatches(ctx, clients)
		defer stop()
	}
	if _, err := repeat(ctx, options, all, operation, bound{duration: options.warmUp}); err != nil {
		return nil, err
	}
	cpuBefore, clientBefore := cpuSeconds(options.serverPid), cpuSeconds(os.Getpid())
	began := time.Now()
	latencies, err := repeat(ctx, options, all, operation, bound{duration: options.duration, count: options.count})
	if err != nil {
		return nil, err
	}
	result := summary(latencies)
	result.Seconds = time.Since(began).Seconds()
	result.CPUSeconds = cpuSeconds(options.serverPid) - cpuBefore
	result.ClientCPUSeconds = cpuSeconds(os.Getpid()) - clientBefore
	return result, nil
}

// A bound is a count, or a duration after which nothing begins; what has begun is waited for and counts, so that
// a server that answers late is not taken for one that answers nothing.
type bound struct {
	duration time.Duration
	count    int
}

func repeat(
	ctx context.Context,
	options Options,
	all []*worker,
	operation func(context.Context, *worker) error,
	bound bound,
) ([]time.Duration, error) {
	byWorker := make([][]time.Duration, len(all))
	deadline := time.Now().Add(bound.duration)
	var begun atomic.Int64
	_, err := together(options, func(index int) error {
		w := all[index]
		for {
			began := time.Now()
			if bound.count > 0 {
				if int(begun.Add(1)) > bound.count {
					return nil
				}
			} else if began.After(deadline) {
				return nil
			}
			if err := operation(ctx, w); err != nil {
				return err
			}
			byWorker[index] = append(byWorker[index], time.Since(began))
		}
	})
	return slices.Concat(byWorker...), err
}

// together runs all clients at once, until the last has ended.
func together(options Options, client func(index int) error) (Measurement, error) {
	var group errgroup.Group
	began := time.Now()
	for i := range options.clients {
		group.Go(func() error { return client(i) })
	}
	err := group.Wait()
	return Measurement{Operations: options.count, Seconds: time.Since(began).Seconds()}, err
}

func openWatches(ctx context.Context, clients []*kubernetes.Client) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	for i := range mixedWatches {
		prefix := "/registry/"
		if i > 0 {
			prefix = namespacePrefix(i)
		}
		events := clients[i%len(clients)].Watch(
			clientv3.WithRequireLeader(ctx), prefix,
			clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithProgressNotify())
		go func() {
			for range events {
			}
		}()
	}
	return cancel
}

func summary(latencies []time.Duration) Measurement {
	slices.Sort(latencies)
	return Measurement{
		Operations: len(latencies),
		P50Ms:      percentile(latencies, 50),
		P99Ms:      percentile(latencies, 99),
	}
}

// percentile of sorted latencies, in milliseconds: the smallest that so many percent do not exceed.
func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return float64(sorted[max(rank, 1)-1]) / float64(time.Millisecond)
}

// cpuSeconds is the CPU time of a process with all its threads, user and system, from /proc/PID/stat.
func cpuSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold blanks; utime and stime are the 12th and 13th field after it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	const ticksPerSecond = 100
	return (user + system) / ticksPerSecond
}
