// Hollow runs many hollow kubelets in one process: kubelets as they are, above
// a container runtime and a cadvisor that only pretend, as in upstream's
// kubemark. Kubemark itself runs one of them in a process.
//
//	hollow NAME=KUBECONFIG=ADDRESS…
//
// It ends with a signal. Each node is labelled and tainted `hollow=true`.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	cri "k8s.io/cri-api/pkg/apis/testing"
	"k8s.io/klog/v2"
	cadvisor "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubemark"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/csi"
)

// mark is both the label's and the taint's key.
const mark = "hollow"

func main() {
	letKubeletsShareMetrics()
	ctx := context.Background()
	for _, argument := range os.Args[1:] {
		parts := strings.Split(argument, "=")
		if len(parts) != 3 {
			klog.Fatalf("%q is not NAME=KUBECONFIG=ADDRESS", argument)
		}
		kubelet, err := newKubelet(parts[0], parts[1], parts[2])
		if err != nil {
			klog.Fatalf("%s: %v", parts[0], err)
		}
		go kubelet.Run(ctx)
		time.Sleep(50 * time.Millisecond) // boxes do not boot in the same instant
	}
	select {}
}

func newKubelet(name, kubeconfig, address string) (*kubemark.HollowKubelet, error) {
	flags, config := kubemark.GetHollowKubeletConfig(&kubemark.HollowKubeletOptions{
		NodeName:           name,
		MaxPods:            110,
		NodeLabels:         map[string]string{mark: "true"},
		RegisterWithTaints: []corev1.Taint{{Key: mark, Value: "true", Effect: corev1.TaintEffectNoSchedule}},
	})
	// Where kubemark departs from a kubelet's own defaults and it would be felt.
	config.SyncFrequency = metav1.Duration{Duration: time.Minute}
	config.MaxOpenFiles = 1_000_000
	// Nobody asks a hollow kubelet anything, and each would need a port; no packet passes it.
	config.EnableServer = false
	config.MakeIPTablesUtilChains = false

	// Said, because a kubelet that is not told asks the DNS for its name, again and again.
	flags.NodeIP = address

	client, heartbeats, err := newClients(kubeconfig, config.NodeStatusUpdateFrequency.Duration)
	if err != nil {
		return nil, err
	}
	containers := cri.NewFakeRuntimeService()
	containers.FakeStatus = &runtime.RuntimeStatus{Conditions: []*runtime.RuntimeCondition{
		{Type: runtime.RuntimeReady, Status: true},
		{Type: runtime.NetworkReady, Status: true},
	}}
	kubelet := kubemark.NewHollowKubelet(
		flags, config, client, heartbeats,
		&cadvisor.Fake{NodeName: name}, cri.NewFakeImageService(), containers, cm.NewStubContainerManager(),
	)
	// The CSI plugin has its node in a variable of the package: there can be one in a process.
	kubelet.KubeletDeps.VolumePlugins = slices.DeleteFunc(kubelet.KubeletDeps.VolumePlugins,
		func(plugin volume.VolumePlugin) bool { return plugin.GetPluginName() == csi.CSIPluginName })
	// Kubemark drops events; a pod's few are a good part of what its start costs the server.
	kubelet.KubeletDeps.Recorder = nil
	kubelet.KubeletDeps.EventClient = client.CoreV1()
	return kubelet, nil
}

// newClients makes a kubelet's two clients, which share one connection.
func newClients(kubeconfig string, heartbeatTimeout time.Duration) (client, heartbeats *kubernetes.Clientset, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, fmt.Errorf("kubeconfig: %w", err)
	}
	config.UserAgent = "hollow-kubelet"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.QPS, config.Burst = 50, 100 // a kubelet's own defaults
	if client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, nil, err
	}
	heartbeatConfig := rest.CopyConfig(config)
	heartbeatConfig.Timeout = heartbeatTimeout
	heartbeatConfig.QPS = -1
	heartbeats, err = kubernetes.NewForConfig(heartbeatConfig)
	return client, heartbeats, err
}
