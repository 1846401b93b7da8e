package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

const (
	prefix = "/linearizability/"
	// afterlife is for answers that a killed datastore had given to the kernel already.
	afterlife = 50 * time.Millisecond
)

func keyName(key int) string {
	return fmt.Sprintf("%skey-%d", prefix, key)
}

func connect(endpoint string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint},
		Logger:    zap.NewNop(),
		// gRPC's own waits grow to minutes where a server is away half of the time.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 200 * time.Millisecond},
		})},
	})
	if err != nil {
		panic(err) // the endpoint is ours
	}
	return client
}

// load is a number of clients that ask and write at random.
type load struct {
	endpoint  string
	randoms   []*rand.Rand
	nextValue atomic.Int64
}

func newLoad(endpoint string, count int, seed uint64) *load {
	l := &load{endpoint: endpoint}
	for i := range count {
		l.randoms = append(l.randoms, rand.New(rand.NewPCG(seed, uint64(i+1))))
	}
	return l
}

// run lets all clients work until the datastore is dead, and returns when none of their calls is under way any more.
// Each round has connections of its own: the old ones would spend it waiting before they connect again.
func (l *load) run(known state, dead <-chan struct{}) *history {
	h := &history{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-dead
		time.Sleep(afterlife)
		cancel()
	}()
	var all sync.WaitGroup
	for i := range l.randoms {
		all.Go(func() {
			client := connect(l.endpoint)
			defer client.Close()
			l.work(ctx, i, client, known, dead, h)
		})
	}
	all.Wait()
	return h
}

func (l *load) work(ctx context.Context, id int, client *clientv3.Client, known state, dead <-chan struct{}, h *history) {
	seen := known.keys // what this client last saw of each key: a guess for its compare-and-swap
	for {
		select {
		case <-dead:
			return
		default:
		}
		in := l.choose(id, seen)
		called := time.Now()
		out, err := call(ctx, client, in)
		isRead := in.op == opGet || in.op == opList
		switch {
		case err != nil && isRead: // it changed nothing and says nothing
		case err != nil:
			h.add(id, in, called, output{isUnknown: true})
		default:
			h.add(id, in, called, out)
			learn(&seen, in, out)
		}
		if err != nil {
			<-dead // nothing but the kill makes calls fail; then this round is over
			return
		}
	}
}

func (l *load) choose(id int, seen [keyCount]pair) input {
	random := l.randoms[id]
	in := input{op: operation(random.IntN(len(operationNames))), key: random.IntN(keyCount)}
	switch in.op {
	case opPut:
		in.value = l.nextValue.Add(1)
	case opPutTwo:
		in.other = (in.key + 1 + random.IntN(keyCount-1)) % keyCount
		in.value = l.nextValue.Add(1)
	case opCompareAndSwap:
		in.value = l.nextValue.Add(1)
		in.expected = seen[in.key].mod
	}
	return in
}

func learn(seen *[keyCount]pair, in input, out output) {
	switch in.op {
	case opPut:
		seen[in.key].mod = out.revision
	case opGet:
		seen[in.key] = out.got
	case opCompareAndSwap:
		seen[in.key] = out.got
		if out.succeeded {
			seen[in.key].mod = out.revision
		}
	case opList:
		*seen = out.all
	}
}

func call(ctx context.Context, client *clientv3.Client, in input) (output, error) {
	key := keyName(in.key)
	value := strconv.FormatInt(in.value, 10)
	switch in.op {
	case opPut:
		response, err := client.Put(ctx, key, value)
		if err != nil {
			return output{}, err
		}
		return output{revision: response.Header.Revision}, nil
	case opPutTwo:
		response, err := client.Txn(ctx).Then(clientv3.OpPut(key, value), clientv3.OpPut(keyName(in.other), value)).Commit()
		if err != nil {
			return output{}, err
		}
		return output{revision: response.Header.Revision}, nil
	case opDelete:
		response, err := client.Delete(ctx, key)
		if err != nil {
			return output{}, err
		}
		return output{revision: response.Header.Revision, succeeded: response.Deleted == 1}, nil
	case opCompareAndSwap:
		response, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", in.expected)).
			Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(key)).Commit()
		if err != nil {
			return output{}, err
		}
		out := output{revision: response.Header.Revision, succeeded: response.Succeeded}
		if !response.Succeeded {
			out.got = onlyPair(response.Responses[0].GetResponseRange().Kvs)
		}
		return out, nil
	case opGet:
		response, err := client.Get(ctx, key)
		if err != nil {
			return output{}, err
		}
		return output{revision: response.Header.Revision, got: onlyPair(response.Kvs)}, nil
	default:
		return list(ctx, client)
	}
}

func list(ctx context.Context, client *clientv3.Client) (output, error) {
	response, err := client.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return output{}, err
	}
	out := output{revision: response.Header.Revision}
	for key := range keyCount {
		for _, kv := range response.Kvs {
			if string(kv.Key) == keyName(key) {
				out.all[key] = pairOf(kv)
			}
		}
	}
	return out, nil
}

func onlyPair(kvs []*mvccpb.KeyValue) pair {
	if len(kvs) == 0 {
		return pair{}
	}
	return pairOf(kvs[0])
}

func pairOf(kv *mvccpb.KeyValue) pair {
	value, _ := strconv.ParseInt(string(kv.Value), 10, 64)
	return pair{value: value, mod: kv.ModRevision, create: kv.CreateRevision, version: kv.Version}
}

// readState reads everything while nobody writes.
func readState(endpoint string) (state, error) {
	client := connect(endpoint)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := list(ctx, client)
	return state{revision: out.revision, keys: out.all}, err
}
