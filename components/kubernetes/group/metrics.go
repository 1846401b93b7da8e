package group

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	_ "unsafe" // for linkname

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/prometheus/slis"
)

// Upstream's programs register what they count in one registry of the process,
// and each serves all of it at /metrics. This has each serve what is its own:
//
//   - what a part registers is that part's;
//   - what packages register as they are loaded, and what is the process's
//     (go_*, process_*, rest_client_*, workqueue_*), is the first part's, but
//     for what packages of another one's register (loaded).
//
// So nothing is served twice, and nothing is left out.

//go:linkname defaultRegistry k8s.io/component-base/metrics/legacyregistry.defaultRegistry
var defaultRegistry metrics.KubeRegistry

// loaded has what packages of a part that is not the first register as they
// are loaded: the beginnings of their families' names.
var loaded = map[string][]string{
	"kube-controller-manager": {"node_collector_", "root_ca_cert_publisher_", "clustertrustbundle_publisher_"},
}

// attributeMetrics is called before the first part starts.
func attributeMetrics(parts []*part) {
	all := newAttributed(defaultRegistry, parts)
	defaultRegistry = all
	legacyregistry.DefaultGatherer = all
	legacyregistry.Register = all.Register
	legacyregistry.MustRegister = all.MustRegister
	legacyregistry.RawMustRegister = all.RawMustRegister
	legacyregistry.Registerer = all.Registerer
	legacyregistry.Reset = all.Reset
	slis.Registry = newAttributed(slis.Registry, parts)
}

// attributed is a registry for each part behind the interface of one.
type attributed struct {
	// KubeRegistry is upstream's, with what is nobody's.
	metrics.KubeRegistry
	parts []*part
	own   map[*part]metrics.KubeRegistry

	mutex sync.Mutex
	// owners has who has registered what, by full name: a second registration
	// fails wherever it comes from, as it would in one registry.
	owners map[string]metrics.KubeRegistry
}

func newAttributed(shared metrics.KubeRegistry, parts []*part) *attributed {
	a := &attributed{
		KubeRegistry: shared,
		parts:        parts,
		own:          map[*part]metrics.KubeRegistry{},
		owners:       map[string]metrics.KubeRegistry{},
	}
	for _, p := range parts {
		a.own[p] = metrics.NewKubeRegistry()
	}
	return a
}

// mine is the registry of the part that calls.
func (a *attributed) mine() metrics.KubeRegistry {
	if own, ok := a.own[current()]; ok {
		return own
	}
	return a.KubeRegistry
}

// owner is the part that serves a family which no part has registered.
func (a *attributed) owner(family string) *part {
	var first *part
	for _, p := range a.parts {
		if !p.isStarted.Load() {
			continue
		}
		if slices.ContainsFunc(loaded[p.name], func(beginning string) bool { return strings.HasPrefix(family, beginning) }) {
			return p
		}
		if first == nil {
			first = p
		}
	}
	return first
}

// claim returns the registry to register name in: the one that has it already,
// which then says so, else the caller's.
func (a *attributed) claim(name string) metrics.KubeRegistry {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	owner, ok := a.owners[name]
	if !ok {
		owner = a.mine()
		a.owners[name] = owner
	}
	return owner
}

func (a *attributed) Register(c metrics.Registerable) error {
	return a.claim(c.FQName()).Register(c)
}

func (a *attributed) MustRegister(cs ...metrics.Registerable) {
	for _, c := range cs {
		a.claim(c.FQName()).MustRegister(c)
	}
}

func (a *attributed) CustomRegister(c metrics.StableCollector) error {
	return a.mine().CustomRegister(c)
}

func (a *attributed) CustomMustRegister(cs ...metrics.StableCollector) {
	a.mine().CustomMustRegister(cs...)
}

func (a *attributed) RawMustRegister(cs ...prometheus.Collector) {
	a.mine().RawMustRegister(cs...)
}

func (a *attributed) Unregister(c metrics.Collector) bool {
	return a.mine().Unregister(c) || a.KubeRegistry.Unregister(c)
}

func (a *attributed) Registerer() prometheus.Registerer { return a.mine().Registerer() }
func (a *attributed) Gatherer() prometheus.Gatherer     { return a }

// Gather gives the part that calls what is its own, and all there is to what
// is no part.
func (a *attributed) Gather() ([]*dto.MetricFamily, error) {
	caller := current()
	shared, err := a.KubeRegistry.Gather()
	failed := []error{err}
	families := map[string]*dto.MetricFamily{}
	for _, family := range shared {
		if caller == nil || a.owner(family.GetName()) == caller {
			families[family.GetName()] = family
		}
	}
	for p, registry := range a.own {
		if caller != nil && p != caller {
			continue
		}
		own, err := registry.Gather()
		failed = append(failed, err)
		for _, family := range own {
			if same, ok := families[family.GetName()]; ok {
				same.Metric = append(same.Metric, family.Metric...)
			} else {
				families[family.GetName()] = family
			}
		}
	}
	sorted := slices.SortedFunc(maps.Values(families), func(a, b *dto.MetricFamily) int {
		return cmp.Compare(a.GetName(), b.GetName())
	})
	return sorted, errors.Join(failed...)
}

func (a *attributed) Reset() {
	if own := a.mine(); own != a.KubeRegistry {
		own.Reset()
	}
	if caller := current(); caller == nil || a.owner("") == caller {
		a.KubeRegistry.Reset()
	}
}
