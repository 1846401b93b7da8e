package flanneld

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// refusing is a client of an API server that shows no nodes before it has
// been asked so many times.
func refusing(times int) (*fake.Clientset, *int) {
	client := fake.NewClientset()
	asked := 0
	client.PrependReactor("list", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		asked++
		if asked <= times {
			return true, nil, apierrors.NewForbidden(corev1.Resource("nodes"), "", errors.New("no RBAC policy matched"))
		}
		return false, nil, nil
	})
	return client, &asked
}

func TestWaitForRightsAsksAgainSoonUntilItIsAllowed(t *testing.T) {
	client, asked := refusing(4)
	began := time.Now()
	if err := waitForRights(context.Background(), client); err != nil {
		t.Fatal(err)
	}
	if *asked != 5 {
		t.Errorf("asked %d times, want 5", *asked)
	}
	if took := time.Since(began); took > 2*time.Second { // 0.16 s of pauses
		t.Errorf("took %s", took)
	}
}

func TestWaitForRightsEndsWithItsContext(t *testing.T) {
	client, _ := refusing(1000)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := waitForRights(ctx, client); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v, want the end of its context", err)
	}
}
