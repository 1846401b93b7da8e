package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"go.etcd.io/etcd/client/v3/kubernetes"
)

const (
	namespaces   = 100
	perNamespace = 100
	objectCount  = namespaces * perNamespace
	valueBytes   = 1024
	pageSize     = 500
	// Nothing else lies under this prefix: its size never changes.
	objects = "/registry/objects/"
	// What the measurements create, and some delete again.
	created = "/registry/created/"
)

func namespacePrefix(index int) string {
	return fmt.Sprintf("%snamespace-%03d/", objects, index%namespaces)
}

// objectKey names the objects; those after the first 10,000 go round the namespaces again.
func objectKey(index int) string {
	return fmt.Sprintf("%sobject-%06d", namespacePrefix(index), index/namespaces)
}

func newValue() []byte {
	value := make([]byte, valueBytes)
	for i := range value {
		value[i] = byte('a' + rand.IntN(26))
	}
	return value
}

// load creates the objects one by one, as kine accepts nothing else.
func load(ctx context.Context, options Options, clients []*kubernetes.Client) (any, error) {
	var next atomic.Int64
	return together(options, func(worker int) error {
		client, value := clients[worker%len(clients)], newValue()
		for {
			index := int(next.Add(1)) - 1
			if index >= options.count {
				return nil
			}
			if _, err := put(ctx, client, objectKey(index), value, 0); err != nil {
				return err
			}
		}
	})
}

// put is kube-apiserver's Create (revision 0) and GuaranteedUpdate.
func put(ctx context.Context, client *kubernetes.Client, key string, value []byte, revision int64) (int64, error) {
	options := kubernetes.PutOptions{GetOnFailure: revision != 0}
	answer, err := client.OptimisticPut(ctx, key, value, revision, options)
	if err != nil {
		return 0, err
	}
	if !answer.Succeeded {
		return 0, fmt.Errorf("put of %s at revision %d did not succeed", key, revision)
	}
	return answer.Revision, nil
}

func remove(ctx context.Context, client *kubernetes.Client, key string, revision int64) error {
	answer, err := client.OptimisticDelete(ctx, key, revision, kubernetes.DeleteOptions{GetOnFailure: true})
	if err == nil && !answer.Succeeded {
		err = fmt.Errorf("delete of %s at revision %d did not succeed", key, revision)
	}
	return err
}
