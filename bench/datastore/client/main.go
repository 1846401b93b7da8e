// Puts load on a server that speaks etcd's API, through the client that kube-apiserver uses, and says how it went as
// one line of JSON. Everything it does is bounded by a time or a count.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
)

// Options are what the bench decides; the shape of the data is in objects.go.
type Options struct {
	endpoint    string
	operation   string
	connections int
	clients     int
	duration    time.Duration
	warmUp      time.Duration
	count       int
	serverPid   int
}

func main() {
	var options Options
	flag.StringVar(&options.endpoint, "endpoint", "", "http://HOST:PORT or unix:///PATH")
	flag.StringVar(&options.operation, "operation", "", "load, one of the operations, watch or progress")
	flag.IntVar(&options.connections, "connections", 10, "at most this many connections, shared by the clients")
	flag.IntVar(&options.clients, "clients", 1, "how many requests are under way at once")
	flag.DurationVar(&options.duration, "duration", 2*time.Second, "no request begins later")
	flag.DurationVar(&options.warmUp, "warm-up", 500*time.Millisecond, "unmeasured requests before")
	flag.IntVar(&options.count, "count", 0, "so many requests instead of a duration; of load: so many objects")
	flag.IntVar(&options.serverPid, "server-pid", 0, "whose CPU time is measured")
	flag.Parse()
	// What the load saves of the machine's CPU is there for the server.
	debug.SetGCPercent(400)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	result, err := run(ctx, options)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s with %d clients: %v\n", options.operation, options.clients, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, options Options) (any, error) {
	clients, err := connect(options)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, client := range clients {
			_ = client.Close()
		}
	}()
	switch options.operation {
	case "load":
		return load(ctx, options, clients)
	case "watch":
		return measureWatches(ctx, options, clients)
	case "progress":
		return measureProgress(ctx, options, clients[0])
	default:
		return measureOperation(ctx, options, clients)
	}
}

// connect makes the connections with kube-apiserver's settings: it has one client for each resource.
func connect(options Options) ([]*kubernetes.Client, error) {
	clients := make([]*kubernetes.Client, min(options.connections, options.clients))
	for i := range clients {
		client, err := kubernetes.New(clientv3.Config{
			Endpoints:            []string{options.endpoint},
			DialTimeout:          20 * time.Second,
			DialKeepAliveTime:    30 * time.Second,
			DialKeepAliveTimeout: 10 * time.Second,
			Logger:               zap.NewNop(),
		})
		if err != nil {
			return nil, err
		}
		clients[i] = client
	}
	return clients, nil
}
