package main

import (
	"context"
	"testing"
	"time"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/config/static"
	"github.com/traefik/traefik/v3/pkg/provider/kubernetes/crd"
	"github.com/traefik/traefik/v3/pkg/provider/kubernetes/ingress"
	"github.com/traefik/traefik/v3/pkg/safe"
	"github.com/traefik/traefik/v3/pkg/server"
)

// speaking is a provider that says what the test says.
type speaking struct{ names chan string }

func (s *speaking) Init() error { return nil }

func (s *speaking) Provide(out chan<- dynamic.Message, pool *safe.Pool) error {
	pool.GoCtx(func(ctx context.Context) {
		for {
			select {
			case <-ctx.Done():
				return
			case name := <-s.names:
				routes := map[string]*dynamic.Router{"of-" + name: {}}
				out <- dynamic.Message{ProviderName: name, Configuration: &dynamic.Configuration{HTTP: &dynamic.HTTPConfiguration{Routers: routes}}}
			}
		}
	})
	return nil
}

func TestReadyWhenTheRoutesOfAllProvidersAreInForce(t *testing.T) {
	pool := safe.NewPool(context.Background())
	defer pool.Stop()
	provider := &speaking{names: make(chan string)}
	ready := newReadiness(provider, &static.Providers{KubernetesIngress: &ingress.Provider{}, KubernetesCRD: &crd.Provider{}})
	watcher := server.NewConfigurationWatcher(pool, ready, nil, "", false)
	routes := make(chan int, 100)
	watcher.AddListener(func(config dynamic.Configuration) { routes <- len(config.HTTP.Routers) })
	watcher.AddListener(ready.applied)
	watcher.Start()

	provider.names <- ingress.ProviderName
	provider.names <- ingress.ProviderName
	select {
	case <-ready.done:
		t.Fatal("ready before the second provider has spoken")
	case <-time.After(200 * time.Millisecond):
	}
	provider.names <- crd.ProviderName
	select {
	case <-ready.done:
	case <-time.After(5 * time.Second):
		t.Fatal("not ready although both have spoken")
	}
	last := 0
	for len(routes) > 0 {
		last = <-routes
	}
	if last != 2 {
		t.Fatalf("ready with %d of 2 routes", last)
	}
}

func TestReadyAtOnceWithoutProviders(t *testing.T) {
	pool := safe.NewPool(context.Background())
	defer pool.Stop()
	ready := newReadiness(&speaking{names: make(chan string)}, &static.Providers{})
	watcher := server.NewConfigurationWatcher(pool, ready, nil, "", false)
	watcher.AddListener(ready.applied)
	watcher.Start()
	select {
	case <-ready.done:
	case <-time.After(5 * time.Second):
		t.Fatal("not ready although nothing is awaited")
	}
}

func TestWhatIsLeftOutIsRefusedByItsName(t *testing.T) {
	config := &static.Configuration{Spiffe: &static.SpiffeClientConfig{}}
	if err := refuse(config); err == nil || err.Error() != "spiffe: kagent's build of Traefik does not have this option" {
		t.Fatalf("refused with %v", err)
	}
	if err := refuse(&static.Configuration{}); err != nil {
		t.Fatal(err)
	}
}
