package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
)

// A worker is one client of the measurement: it waits for each answer before it asks again.
type worker struct {
	client *kubernetes.Client
	// Its own share of the objects, so that no two clients update the same one; by key, with the newest revision.
	keys      []string
	revisions []int64
	value     []byte
	name      string
	serial    int
	// Where its paginated list continues.
	page kubernetes.ListOptions
}

var operations = map[string]func(context.Context, *worker) error{
	"create": createOne,
	"update": updateOne,
	"delete": createAndDelete,
	"get":    getOne,
	"list":   listPage,
	"listns": listNamespace,
	"count":  countAll,
	"lease":  grantLease,
	"mixed":  mixed,
	"range":  rangeAll,
	"stream": streamAll,
}

func (w *worker) newKey() string {
	w.serial++
	return fmt.Sprintf("%s%s-%d", created, w.name, w.serial)
}

func createOne(ctx context.Context, w *worker) error {
	_, err := put(ctx, w.client, w.newKey(), w.value, 0)
	return err
}

func createAndDelete(ctx context.Context, w *worker) error {
	key := w.newKey()
	revision, err := put(ctx, w.client, key, w.value, 0)
	if err != nil {
		return err
	}
	return remove(ctx, w.client, key, revision)
}

func updateOne(ctx context.Context, w *worker) error {
	i := rand.IntN(len(w.keys))
	revision, err := put(ctx, w.client, w.keys[i], w.value, w.revisions[i])
	w.revisions[i] = revision
	return err
}

func getOne(ctx context.Context, w *worker) error {
	key := objectKey(rand.IntN(objectCount))
	answer, err := w.client.Kubernetes.Get(ctx, key, kubernetes.GetOptions{})
	if err == nil && (answer.KV == nil || len(answer.KV.Value) != valueBytes) {
		err = fmt.Errorf("%s has no value", key)
	}
	return err
}

// listPage walks through all objects as a paginated list does: all pages at the revision of the first.
func listPage(ctx context.Context, w *worker) error {
	w.page.Limit = pageSize
	answer, err := w.client.List(ctx, objects, w.page)
	if err != nil {
		return err
	}
	if len(answer.Kvs) != pageSize {
		return fmt.Errorf("a page of %d objects", len(answer.Kvs))
	}
	if answer.Count == pageSize {
		w.page = kubernetes.ListOptions{}
		return nil
	}
	if w.page.Revision == 0 {
		w.page.Revision = answer.Revision
	}
	w.page.Continue = string(answer.Kvs[pageSize-1].Key) + "\x00"
	return nil
}

func listNamespace(ctx context.Context, w *worker) error {
	answer, err := w.client.List(ctx, namespacePrefix(rand.IntN(namespaces)), kubernetes.ListOptions{})
	if err == nil && len(answer.Kvs) != perNamespace {
		err = fmt.Errorf("a namespace of %d objects", len(answer.Kvs))
	}
	return err
}

func countAll(ctx context.Context, w *worker) error {
	count, err := w.client.Count(ctx, objects, kubernetes.CountOptions{})
	if err == nil && count != objectCount {
		err = fmt.Errorf("a count of %d", count)
	}
	return err
}

// grantLease asks for what kube-apiserver asks for events: an hour and a minute.
func grantLease(ctx context.Context, w *worker) error {
	_, err := w.client.Grant(ctx, 3660)
	return err
}

// mixed is 60 % updates, 20 % gets, 17 % creates with deletes and 3 % lists of a namespace.
func mixed(ctx context.Context, w *worker) error {
	switch chance := rand.IntN(100); {
	case chance < 60:
		return updateOne(ctx, w)
	case chance < 80:
		return getOne(ctx, w)
	case chance < 97:
		return createAndDelete(ctx, w)
	default:
		return listNamespace(ctx, w)
	}
}

func rangeAll(ctx context.Context, w *worker) error {
	answer, err := w.client.List(ctx, objects, kubernetes.ListOptions{})
	if err == nil && len(answer.Kvs) != objectCount {
		err = fmt.Errorf("a list of %d objects", len(answer.Kvs))
	}
	return err
}

func streamAll(ctx context.Context, w *worker) error {
	chunks, err := w.client.GetStream(ctx, objects, clientv3.WithPrefix())
	if err != nil {
		return err
	}
	total := 0
	for chunk := range chunks {
		if err := chunk.Err(); err != nil {
			return err
		}
		if chunk.RangeResponse != nil {
			total += len(chunk.RangeResponse.Kvs)
		}
	}
	if total != objectCount {
		return fmt.Errorf("a stream of %d objects", total)
	}
	return nil
}

// workers divides the objects; only updates need to know their revisions.
func workers(ctx context.Context, options Options, clients []*kubernetes.Client) ([]*worker, error) {
	all := make([]*worker, options.clients)
	run := time.Now().UnixNano()
	for i := range all {
		name := fmt.Sprintf("%d-%d", run, i)
		all[i] = &worker{client: clients[i%len(clients)], name: name, value: newValue()}
	}
	if options.operation != "update" && options.operation != "mixed" {
		return all, nil
	}
	known, err := clients[0].List(ctx, objects, kubernetes.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i, kv := range known.Kvs {
		w := all[i%len(all)]
		w.keys = append(w.keys, string(kv.Key))
		w.revisions = append(w.revisions, kv.ModRevision)
	}
	return all, nil
}
