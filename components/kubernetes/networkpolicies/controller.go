package networkpolicies

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	eventrecord "k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
)

const (
	// betweenLooks is how long changed tables stay as somebody has left them.
	betweenLooks = 2 * time.Second
	// quiet lets what changes together be worked out once.
	quiet = 20 * time.Millisecond
	// retryTime is from a transaction that failed to the next.
	retryTime = time.Second
	// addTime is what a new pod waits for its rules at most; the kubelet tries again.
	addTime = 30 * time.Second
	// askTime is from one question whether policies are to be enforced to the next.
	askTime = time.Minute
	// refusedTime is how long an API server that refuses everything is taken
	// for one that starts, and not for one that knows of no such rights.
	refusedTime = 20 * time.Second
	// strangerTime is what it waits for the API to show it. It starts closed then.
	strangerTime = 5 * time.Second
)

// enforcer is what writes rules: the kernel, but for tests.
type enforcer interface {
	apply(wanted ruleset) error
	isIntact() (bool, error)
}

type controller struct {
	client   kubernetes.Interface
	nodeName string
	records  records
	// marker is there as long as there are tables, for who has to remove them.
	marker string
	// enforcer is nil where the kernel cannot enforce anything; cannot says why.
	enforcer enforcer
	cannot   string

	// objects are watched while there is a policy.
	objects *objects

	dirty chan struct{}

	mutex sync.Mutex
	// changed is closed, and made anew, whenever one of these changes.
	changed chan struct{}
	// policies are nil while the cluster enforces none.
	policies cache.Indexer
	// isSynced: the policies are known, and what they ask for is in force.
	isSynced bool
	// asked and done count: what was asked for before a working-out began is
	// done when that is in force.
	asked, done uint64
	// recorded are the records as of now, by address.
	recorded map[netip.Addr]record
	// known are the records of which the API has shown the pod, as of done.
	known   map[record]bool
	problem string
}

func newController(client kubernetes.Interface, opts options) *controller {
	return &controller{
		client:   client,
		nodeName: opts.nodeName,
		records:  records{dir: filepath.Join(opts.stateDir, "pods")},
		marker:   filepath.Join(opts.stateDir, markerName),
		dirty:    make(chan struct{}, 1),
		changed:  make(chan struct{}),
		recorded: map[netip.Addr]record{},
		known:    map[record]bool{},
	}
}

// run returns when ctx ends. The rules stay as they are then.
func (c *controller) run(ctx context.Context) error {
	kept, err := c.records.all()
	if err != nil {
		return fmt.Errorf("records of pods: %w", err)
	}
	c.mutex.Lock()
	for _, one := range kept {
		c.recorded[one.Address] = one
	}
	c.mutex.Unlock()
	pause := newPause()
	refusedSince := time.Now()
	for said := ""; ctx.Err() == nil; {
		answer, err := c.ask(ctx)
		if answer != refused {
			refusedSince = time.Now()
		}
		switch {
		case answer == enforce:
			c.enforceWhileAllowed(ctx)
			pause = newPause()
		case answer == enforceNone, answer == refused && time.Since(refusedSince) > refusedTime:
			c.enforceNothing()
			sleep(ctx, askTime)
		default:
			if err.Error() != said {
				said = err.Error()
				klog.Infof("waiting for the API server to show the network policies: %v", err)
			}
			sleep(ctx, pause.Step())
		}
	}
	return nil
}

func newPause() *wait.Backoff {
	return &wait.Backoff{Duration: 20 * time.Millisecond, Factor: 1.5, Steps: math.MaxInt, Cap: time.Second}
}

type answer int

const (
	away answer = iota
	refused
	enforce
	enforceNone
)

// ask finds out whether this cluster enforces policies: its server grants the
// right to read them in any case, and the right to read namespaces if it does.
// A server that has just started refuses both for a moment, one of an earlier
// version always.
func (c *controller) ask(ctx context.Context) (answer, error) {
	first := metav1.ListOptions{Limit: 1}
	_, err := c.client.NetworkingV1().NetworkPolicies(metav1.NamespaceAll).List(ctx, first)
	switch {
	case apierrors.IsForbidden(err):
		return refused, err
	case err != nil:
		return away, err
	}
	_, err = c.client.CoreV1().Namespaces().List(ctx, first)
	switch {
	case apierrors.IsForbidden(err):
		return enforceNone, nil
	case err != nil:
		return away, err
	}
	return enforce, nil
}

// enforceWhileAllowed returns when ctx ends, or when the cluster enforces none
// any more.
func (c *controller) enforceWhileAllowed(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	factory := informers.NewSharedInformerFactoryWithOptions(c.client, 0, informers.WithTransform(withoutManagedFields))
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	if c.enforcer == nil {
		c.tellOfPolicies(ctx, policies)
	}
	c.onChange(policies)
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	if !cache.WaitForCacheSync(ctx.Done(), policies.HasSynced) {
		return
	}
	c.mutex.Lock()
	c.policies = policies.GetIndexer()
	c.mutex.Unlock()
	go func() {
		for ctx.Err() == nil {
			sleep(ctx, askTime)
			if answer, _ := c.ask(ctx); answer == enforceNone {
				cancel()
			}
		}
	}()
	c.work(ctx)
	c.stopObjects()
}

// enforceNothing removes what an earlier life, or an earlier setting, has left.
func (c *controller) enforceNothing() {
	c.mutex.Lock()
	isNew := !c.isSynced || c.policies != nil
	c.policies = nil
	asked := c.asked
	c.mutex.Unlock()
	if isNew {
		klog.Info("this cluster enforces no network policies")
	}
	if c.enforcer != nil {
		if err := c.enforce(ruleset{}); err != nil {
			klog.Errorf("rules of network policies are left: %v", err)
			return
		}
	}
	c.finish(asked, nil, "")
}

func (c *controller) onChange(informer cache.SharedIndexInformer) {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { c.soon() },
		UpdateFunc: func(before, after any) {
			if !isSame(before, after) {
				c.soon()
			}
		},
		DeleteFunc: func(any) { c.soon() },
	})
	if err != nil {
		klog.Errorf("changes are not heard of: %v", err) // only of an informer that has stopped
	}
}

// isSame compares what the transforms have left.
func isSame(before, after any) bool {
	switch after := after.(type) {
	case *corev1.Pod:
		before := before.(*corev1.Pod)
		return before.UID == after.UID && maps.Equal(before.Labels, after.Labels) &&
			reflect.DeepEqual(before.Spec, after.Spec) && reflect.DeepEqual(before.Status, after.Status)
	case *corev1.Namespace:
		return maps.Equal(before.(*corev1.Namespace).Labels, after.Labels)
	case *networkingv1.NetworkPolicy:
		return reflect.DeepEqual(before.(*networkingv1.NetworkPolicy).Spec, after.Spec)
	}
	return false
}

// soon has everything worked out again.
func (c *controller) soon() uint64 {
	c.mutex.Lock()
	c.asked++
	asked := c.asked
	c.mutex.Unlock()
	c.wake()
	return asked
}

func (c *controller) wake() {
	select {
	case c.dirty <- struct{}{}:
	default: // it will be seen
	}
}

// work is the one goroutine that works rules out and writes them.
func (c *controller) work(ctx context.Context) {
	looks := time.NewTicker(betweenLooks)
	defer looks.Stop()
	isLooking := true
	c.soon()
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
			c.look()
			continue
		case <-c.dirty:
		}
		sleep(ctx, quiet)
		select {
		case <-c.dirty:
		default:
		}
		if err := c.sync(ctx); err != nil && ctx.Err() == nil {
			klog.Errorf("network policies are not in force as they should be: %v", err)
			sleep(ctx, retryTime)
			c.wake()
		}
		// Without rules there is nothing to look at.
		switch _, err := os.Stat(c.marker); {
		case err == nil && !isLooking:
			looks.Reset(betweenLooks)
			isLooking = true
		case err != nil && isLooking:
			looks.Stop()
			isLooking = false
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// look has the tables written again if somebody has changed them.
func (c *controller) look() {
	if c.enforcer == nil {
		return
	}
	isIntact, err := c.enforcer.isIntact()
	if err != nil {
		klog.Warningf("whether the rules of network policies are still there is not known: %v", err)
		return
	}
	if !isIntact {
		klog.Warning("somebody has changed the rules of network policies; they are written again")
		c.soon()
	}
}

func (c *controller) sync(ctx context.Context) error {
	c.mutex.Lock()
	asked := c.asked
	var kept []record
	for _, one := range c.recorded {
		kept = append(kept, one)
	}
	c.mutex.Unlock()

	if c.enforcer == nil {
		c.finish(asked, nil, c.cannot)
		return nil
	}
	in := inputs{nodeName: c.nodeName, records: kept}
	for _, each := range c.indexer().List() {
		in.policies = append(in.policies, each.(*networkingv1.NetworkPolicy))
	}
	if len(in.policies) == 0 {
		c.stopObjects()
	} else {
		if c.objects == nil {
			c.startObjects(ctx)
		}
		if !c.objects.haveSynced() {
			c.mutex.Lock()
			c.problem = "pods and namespaces, which network policies name, are not known yet"
			c.mutex.Unlock()
			return nil // it is worked out when they are known
		}
		in.pods, in.namespaces = c.objects.all()
	}
	wanted := compile(in)
	if err := c.enforce(wanted); err != nil {
		c.mutex.Lock()
		c.problem = fmt.Sprintf("network policies are not in force as they should be: %v", err)
		c.mutex.Unlock()
		return err
	}
	known := map[record]bool{}
	for _, one := range kept {
		known[one] = isShown(in.pods, one)
	}
	c.finish(asked, known, "")
	return nil
}

func isShown(pods []*corev1.Pod, one record) bool {
	for _, object := range pods {
		if object.Name == one.Name && object.Namespace == one.Namespace && one.isOf(object) {
			return true
		}
	}
	return false
}

// enforce keeps the marker as long as there may be tables.
func (c *controller) enforce(wanted ruleset) error {
	if !wanted.isEmpty() {
		if err := os.WriteFile(c.marker, nil, 0o600); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := c.enforcer.apply(wanted); err != nil {
		return err
	}
	if wanted.isEmpty() {
		if err := os.Remove(c.marker); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	chains, rules, elements := wanted.count()
	klog.V(2).Infof("%d rules in %d chains, %d addresses, written in %s", rules, chains, elements, time.Since(began))
	return nil
}

func (c *controller) finish(asked uint64, known map[record]bool, problem string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.done, c.known, c.problem, c.isSynced = asked, known, problem, true
	close(c.changed)
	c.changed = make(chan struct{})
}

// answer is for what comes by the socket.
func (c *controller) answer(ctx context.Context, asked request) error {
	switch {
	case asked.Add != nil:
		return c.addPod(ctx, *asked.Add)
	case asked.Remove != nil:
		return c.removePod(*asked.Remove)
	case asked.Ask == "ready":
		return c.readiness()
	case asked.Ask == "live":
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if c.problem != "" {
			return errors.New(c.problem)
		}
		return nil
	}
	return errors.New("nothing is asked for")
}

func (c *controller) readiness() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.isSynced {
		return errors.New("the API server has not shown the network policies yet")
	}
	return nil
}

// addPod returns when the pod may speak: its rules are in force, or no policy
// can be for it.
func (c *controller) addPod(ctx context.Context, one record) error {
	ctx, cancel := context.WithTimeout(ctx, addTime)
	defer cancel()
	if !one.Address.Is4() {
		return nil
	}
	if err := c.records.put(one); err != nil {
		return err
	}
	c.mutex.Lock()
	c.recorded[one.Address] = one
	c.mutex.Unlock()
	asked := c.soon()
	stranger := time.After(strangerTime)
	for isStranger := false; ; {
		c.mutex.Lock()
		isSynced, isDone, isKnown, changed := c.isSynced, c.done >= asked, c.known[one], c.changed
		c.mutex.Unlock()
		if isSynced && (c.enforcer == nil || !c.hasPolicies(one.Namespace)) {
			return nil
		}
		if isDone && (isKnown || isStranger) {
			return nil
		}
		select {
		case <-changed:
		case <-stranger:
			isStranger = true // as when the API is away: it may start, and speaks when it is shown
			klog.Warningf("the API has not shown the pod %s/%s: nothing reaches it, and it reaches nothing, until it does", one.Namespace, one.Name)
		case <-ctx.Done():
			return errors.New("the network policies for this pod are not in force yet")
		}
	}
}

func (c *controller) indexer() cache.Indexer {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.policies
}

func (c *controller) hasPolicies(namespace string) bool {
	policies := c.indexer()
	if policies == nil {
		return false
	}
	objects, err := policies.ByIndex(cache.NamespaceIndex, namespace)
	return err != nil || len(objects) > 0
}

// removePod forgets a pod by its container, unless another has its address.
func (c *controller) removePod(one record) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for address, kept := range c.recorded {
		if kept.ContainerID != one.ContainerID {
			continue
		}
		if err := c.records.remove(kept); err != nil {
			return err
		}
		delete(c.recorded, address)
		c.asked++
	}
	c.wake()
	return nil
}

// objects are the pods and namespaces of the whole cluster, with the few
// fields that policies are about.
type objects struct {
	factory    informers.SharedInformerFactory
	pods       cache.SharedIndexInformer
	namespaces cache.SharedIndexInformer
	cancel     context.CancelFunc
}

func (c *controller) startObjects(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactoryWithOptions(c.client, 0, informers.WithTransform(onlyNeeded))
	o := &objects{
		factory:    factory,
		pods:       factory.Core().V1().Pods().Informer(),
		namespaces: factory.Core().V1().Namespaces().Informer(),
		cancel:     cancel,
	}
	c.objects = o
	c.onChange(o.pods)
	c.onChange(o.namespaces)
	factory.Start(ctx.Done())
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), o.pods.HasSynced, o.namespaces.HasSynced) {
			c.soon()
		}
	}()
	klog.Info("there is a network policy: pods and namespaces are watched")
}

func (c *controller) stopObjects() {
	if c.objects == nil {
		return
	}
	c.objects.cancel()
	c.objects.factory.Shutdown()
	c.objects = nil
	klog.Info("pods and namespaces are not watched any more")
}

func (o *objects) haveSynced() bool { return o.pods.HasSynced() && o.namespaces.HasSynced() }

func (o *objects) all() (pods []*corev1.Pod, namespaces []*corev1.Namespace) {
	for _, each := range o.pods.GetStore().List() {
		pods = append(pods, each.(*corev1.Pod))
	}
	for _, each := range o.namespaces.GetStore().List() {
		namespaces = append(namespaces, each.(*corev1.Namespace))
	}
	return pods, namespaces
}

func withoutManagedFields(object any) (any, error) {
	if policy, ok := object.(*networkingv1.NetworkPolicy); ok {
		policy.ManagedFields = nil
		policy.Annotations = nil
	}
	return object, nil
}

// onlyNeeded is what is kept of a pod or namespace.
func onlyNeeded(object any) (any, error) {
	switch object := object.(type) {
	case *corev1.Pod:
		kept := &corev1.Pod{ObjectMeta: metaOf(object.ObjectMeta)}
		if hash, ok := object.Annotations[staticPodUID]; ok {
			kept.Annotations = map[string]string{staticPodUID: hash}
		}
		kept.Spec.NodeName = object.Spec.NodeName
		kept.Spec.HostNetwork = object.Spec.HostNetwork
		kept.Spec.InitContainers = onlyPorts(object.Spec.InitContainers)
		kept.Spec.Containers = onlyPorts(object.Spec.Containers)
		kept.Status.Phase = object.Status.Phase
		if object.Status.Phase == corev1.PodPending {
			kept.Status.Phase = corev1.PodRunning // policies do not tell them apart
		}
		kept.Status.PodIP = object.Status.PodIP
		return kept, nil
	case *corev1.Namespace:
		return &corev1.Namespace{ObjectMeta: metaOf(object.ObjectMeta)}, nil
	}
	return object, nil
}

func metaOf(full metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: full.Name, Namespace: full.Namespace, UID: full.UID,
		ResourceVersion: full.ResourceVersion, Labels: full.Labels,
	}
}

// onlyPorts keeps containers that have ports with names.
func onlyPorts(containers []corev1.Container) []corev1.Container {
	var kept []corev1.Container
	for _, container := range containers {
		var ports []corev1.ContainerPort
		for _, port := range container.Ports {
			if port.Name != "" {
				ports = append(ports, corev1.ContainerPort{Name: port.Name, ContainerPort: port.ContainerPort, Protocol: port.Protocol})
			}
		}
		if len(ports) > 0 {
			kept = append(kept, corev1.Container{Ports: ports})
		}
	}
	return kept
}

// tellOfPolicies writes an event at each policy that this node does not enforce.
func (c *controller) tellOfPolicies(ctx context.Context, policies cache.SharedIndexInformer) {
	broadcaster := eventrecord.NewBroadcaster(eventrecord.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: c.client.CoreV1().Events("")})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: programName, Host: c.nodeName})
	_, err := policies.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) {
		recorder.Event(object.(*networkingv1.NetworkPolicy), corev1.EventTypeWarning, "NotEnforced",
			fmt.Sprintf("Node %s does not enforce this policy: %s", c.nodeName, c.cannot))
	}})
	if err != nil {
		klog.Errorf("nobody is told of policies that are not enforced: %v", err)
	}
}
