package flanneld

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
)

// waitForRights returns when the API server shows the nodes. In a new cluster
// it refuses for a moment, until kagent has applied flannel's rights, and
// client-go's watches come back a second or two after a refusal: they had
// better begin when they are allowed to.
func waitForRights(ctx context.Context, client kubernetes.Interface) error {
	pause := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 1.5, Steps: math.MaxInt, Cap: time.Second}
	said := ""
	for {
		_, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return nil
		}
		if err.Error() != said {
			said = err.Error()
			klog.Infof("waiting for the API server to show the nodes: %v", err)
		}
		if err := sleep(ctx, pause.Step()); err != nil {
			return err
		}
	}
}

// waitForPodCIDR returns when the node exists and the controller-manager has
// given it its pod addresses. Flannel's own packages fail, or poll every
// three seconds, when started before that.
func waitForPodCIDR(ctx context.Context, client kubernetes.Interface, nodeName string) error {
	klog.Infof("waiting for node %s to have a pod CIDR", nodeName)
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, nodeName)
	nodes := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "", only)
	_, err := toolswatch.UntilWithSync(ctx, nodes, &corev1.Node{}, nil, func(event watch.Event) (bool, error) {
		node, ok := event.Object.(*corev1.Node)
		return ok && event.Type != watch.Deleted && node.Spec.PodCIDR != "", nil
	})
	if err != nil {
		return fmt.Errorf("node %q: waiting for its pod CIDR: %w", nodeName, errors.Join(err, ctx.Err()))
	}
	return nil
}
