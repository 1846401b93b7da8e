package main

import (
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/metrics"
	_ "k8s.io/component-base/metrics/legacyregistry"
)

// Every kubelet registers collectors of its own in the process's registry,
// which takes the first and panics at the second. Nobody reads them here.
//
//go:linkname defaultRegistry k8s.io/component-base/metrics/legacyregistry.defaultRegistry
var defaultRegistry metrics.KubeRegistry

type sharedRegistry struct{ metrics.KubeRegistry }

func (sharedRegistry) CustomMustRegister(...metrics.StableCollector) {}

func letKubeletsShareMetrics() { defaultRegistry = sharedRegistry{defaultRegistry} }
