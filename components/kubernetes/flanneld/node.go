package flanneld

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"
)

// waitForPodCIDR returns when the node exists and the controller-manager has
// given it its pod addresses. Flannel's own packages fail, or poll every
// three seconds, when started before that.
func waitForPodCIDR(ctx context.Context, kubeconfig *rest.Config, nodeName string) error {
	client, err := kubernetes.NewForConfig(kubeconfig)
	if err != nil {
		return err
	}
	klog.Infof("waiting for node %s to have a pod CIDR", nodeName)
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, nodeName)
	nodes := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "", only)
	_, err = toolswatch.UntilWithSync(ctx, nodes, &corev1.Node{}, nil, func(event watch.Event) (bool, error) {
		node, ok := event.Object.(*corev1.Node)
		return ok && event.Type != watch.Deleted && node.Spec.PodCIDR != "", nil
	})
	if err != nil {
		return fmt.Errorf("node %q: waiting for its pod CIDR: %w", nodeName, errors.Join(err, ctx.Err()))
	}
	return nil
}
