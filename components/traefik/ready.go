package main

import (
	"context"
	"time"

	"github.com/rs/zerolog/log"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/config/static"
	"github.com/traefik/traefik/v3/pkg/provider"
	"github.com/traefik/traefik/v3/pkg/provider/kubernetes/crd"
	"github.com/traefik/traefik/v3/pkg/provider/kubernetes/gateway"
	"github.com/traefik/traefik/v3/pkg/provider/kubernetes/ingress"
	"github.com/traefik/traefik/v3/pkg/safe"
	names "github.com/traefik/traefik/v3/pkg/server/provider"
)

const (
	// mark is of a provider that exists for one message: whoever sees it has seen all messages before.
	markProvider = "kagent"
	markName     = "complete"
	// patience is for a provider that is never heard: kinds that are not there, rights that are missing.
	patience = 10 * time.Second
)

// readiness passes messages of providers on, and knows when the routes of each
// are there. Until then nothing is served: a request would be answered with
// 404, and the endpoint of a pod that just starts would be ready too early.
type readiness struct {
	provider.Provider
	awaited map[string]bool
	done    chan struct{}
}

func newReadiness(inner provider.Provider, providers *static.Providers) *readiness {
	awaited := map[string]bool{}
	if providers.KubernetesIngress != nil {
		awaited[ingress.ProviderName] = true
	}
	if providers.KubernetesCRD != nil {
		awaited[crd.ProviderName] = true
	}
	if providers.KubernetesGateway != nil {
		awaited[gateway.ProviderName] = true
	}
	return &readiness{Provider: inner, awaited: awaited, done: make(chan struct{})}
}

// Provide implements provider.Provider.
func (r *readiness) Provide(out chan<- dynamic.Message, pool *safe.Pool) error {
	messages := make(chan dynamic.Message)
	pool.GoCtx(func(ctx context.Context) {
		isMarked := false
		for {
			if len(r.awaited) == 0 && !isMarked {
				isMarked = true
				out <- markMessage()
			}
			select {
			case <-ctx.Done():
				return
			case message := <-messages:
				out <- message
				delete(r.awaited, message.ProviderName)
			}
		}
	})
	return r.Provider.Provide(messages, pool)
}

// applied is called when a configuration is in force.
func (r *readiness) applied(config dynamic.Configuration) {
	if config.HTTP == nil || config.HTTP.ServersTransports[names.MakeQualifiedName(markProvider, markName)] == nil {
		return
	}
	select {
	case <-r.done:
	default:
		close(r.done)
	}
}

func (r *readiness) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-r.done:
	case <-time.After(patience):
		log.Warn().Msg("Serving before all providers have given their routes")
	}
}

func markMessage() dynamic.Message {
	return dynamic.Message{
		ProviderName: markProvider,
		Configuration: &dynamic.Configuration{
			HTTP: &dynamic.HTTPConfiguration{
				Middlewares:       map[string]*dynamic.Middleware{}, // else it counts as empty and is left out
				ServersTransports: map[string]*dynamic.ServersTransport{markName: {}},
			},
		},
	}
}
