package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog/log"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/config/runtime"
	"github.com/traefik/traefik/v3/pkg/config/static"
	"github.com/traefik/traefik/v3/pkg/middlewares/accesslog"
	"github.com/traefik/traefik/v3/pkg/observability/metrics"
	"github.com/traefik/traefik/v3/pkg/observability/tracing"
	otypes "github.com/traefik/traefik/v3/pkg/observability/types"
	"github.com/traefik/traefik/v3/pkg/provider/acme"
	"github.com/traefik/traefik/v3/pkg/provider/aggregator"
	"github.com/traefik/traefik/v3/pkg/provider/traefik"
	"github.com/traefik/traefik/v3/pkg/proxy/httputil"
	"github.com/traefik/traefik/v3/pkg/safe"
	"github.com/traefik/traefik/v3/pkg/server"
	"github.com/traefik/traefik/v3/pkg/server/middleware"
	"github.com/traefik/traefik/v3/pkg/server/service"
	"github.com/traefik/traefik/v3/pkg/tcp"
	traefiktls "github.com/traefik/traefik/v3/pkg/tls"
)

// router is Traefik put together: providers give configurations, the watcher
// makes routes of them, entry points serve these.
type router struct {
	pool          *safe.Pool
	tcp           server.TCPEntryPoints
	udp           server.UDPEntryPoints
	watcher       *server.ConfigurationWatcher
	ready         *readiness
	observability *middleware.ObservabilityMgr
}

func newRouter(config *static.Configuration) (*router, error) {
	ctx := context.Background()
	pool := safe.NewPool(ctx)
	providers := aggregator.NewProviderAggregator(*config.Providers)
	if err := providers.AddProvider(traefik.New(*config)); err != nil {
		return nil, err
	}
	tlsManager := traefiktls.NewManager(config.OCSP)
	pool.GoCtx(tlsManager.Run)
	certificates, err := newResolvers(config, providers, tlsManager, pool)
	if err != nil {
		return nil, err
	}

	registry, semConv, err := newMetrics(ctx, config.Metrics)
	if err != nil {
		return nil, err
	}
	observability := newObservability(ctx, config, registry, semConv)

	tcpEntryPoints, err := server.NewTCPEntryPoints(config.EntryPoints, config.HostResolver, registry)
	if err != nil {
		return nil, err
	}
	udpEntryPoints, err := server.NewUDPEntryPoints(config.EntryPoints)
	if err != nil {
		return nil, err
	}

	transports := service.NewTransportManager(nil)
	dialers := tcp.NewDialerManager(nil)
	proxies := httputil.NewProxyBuilder(transports, semConv)
	services := service.NewManagerFactory(*config, pool, observability, transports, proxies, certificates.httpHandler(), tlsManager)
	routers, err := server.NewRouterFactory(*config, services, tlsManager, observability, &noPlugins{}, dialers)
	if err != nil {
		return nil, err
	}

	ready := newReadiness(providers, config.Providers)
	isStrict := config.Core != nil && config.Core.StrictTLSOptions
	watcher := server.NewConfigurationWatcher(pool, ready, defaultEntryPoints(config), "internal", isStrict)
	watcher.AddListener(func(conf dynamic.Configuration) {
		tlsManager.UpdateConfigs(ctx, conf.TLS.Stores, conf.TLS.Options, conf.TLS.Certificates)
		tellExpiry(registry, tlsManager)
		registry.ConfigReloadsCounter().Add(1)
		registry.LastConfigReloadSuccessGauge().Set(float64(time.Now().Unix()))
	})
	watcher.AddListener(func(conf dynamic.Configuration) {
		transports.Update(conf.HTTP.ServersTransports)
		proxies.Update(conf.HTTP.ServersTransports)
		dialers.Update(conf.TCP.ServersTransports)
	})
	watcher.AddListener(func(conf dynamic.Configuration) {
		tcpRouters, udpRouters := routers.CreateRouters(runtime.NewConfig(conf))
		tcpEntryPoints.Switch(tcpRouters)
		udpEntryPoints.Switch(udpRouters)
	})
	if registry.IsEpEnabled() || registry.IsRouterEnabled() || registry.IsSvcEnabled() {
		var names []string
		for name := range tcpEntryPoints {
			names = append(names, name)
		}
		watcher.AddListener(func(conf dynamic.Configuration) { metrics.OnConfigurationUpdate(conf, names) })
	}
	certificates.listen(watcher)
	watcher.AddListener(ready.applied)
	return &router{pool, tcpEntryPoints, udpEntryPoints, watcher, ready, observability}, nil
}

// serve returns when ctx is done and the requests that were there are answered.
func (r *router) serve(ctx context.Context) {
	r.watcher.Start()
	r.ready.wait(ctx)
	r.tcp.Start()
	r.udp.Start()
	log.Info().Msg("Serving")
	<-ctx.Done()
	log.Info().Msg("Stopping")
	r.tcp.Stop()
	r.udp.Stop()
	metrics.StopOpenTelemetry()
	stopped := make(chan struct{})
	go func() {
		r.pool.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		log.Warn().Msg("Ending before all parts have")
	}
	r.observability.Close()
}

// noPlugins is instead of an interpreter of Go and one of WebAssembly.
type noPlugins struct{}

func (*noPlugins) Build(name string, _ map[string]any, _ string) (middleware.Constructor, error) {
	return nil, errors.New("plugin " + name + ": kagent's build of Traefik runs no plugins")
}

func defaultEntryPoints(config *static.Configuration) []string {
	hasDefaults := false
	for _, entryPoint := range config.EntryPoints {
		hasDefaults = hasDefaults || entryPoint.AsDefault
	}
	var names []string
	for name, entryPoint := range config.EntryPoints {
		protocol, err := entryPoint.GetProtocol()
		isHTTP := err == nil && protocol != "udp" && name != static.DefaultInternalEntryPointName
		if isHTTP && (entryPoint.AsDefault || !hasDefaults) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func newMetrics(ctx context.Context, config *otypes.Metrics) (metrics.Registry, *metrics.SemConvMetricsRegistry, error) {
	if config == nil {
		return metrics.NewMultiRegistry(nil), nil, nil
	}
	var registries []metrics.Registry
	if config.Prometheus != nil {
		if registry := metrics.RegisterPrometheus(ctx, config.Prometheus); registry != nil {
			registries = append(registries, registry)
		}
	}
	if config.OTLP == nil {
		return metrics.NewMultiRegistry(registries), nil, nil
	}
	if registry := metrics.RegisterOpenTelemetry(ctx, config.OTLP); registry != nil {
		registries = append(registries, registry)
	}
	semConv, err := metrics.NewSemConvMetricRegistry(ctx, config.OTLP)
	return metrics.NewMultiRegistry(registries), semConv, err
}

func newObservability(ctx context.Context, config *static.Configuration, registry metrics.Registry, semConv *metrics.SemConvMetricsRegistry) *middleware.ObservabilityMgr {
	var accessLog *accesslog.Handler
	if config.AccessLog != nil {
		var err error
		if accessLog, err = accesslog.NewHandler(ctx, config.AccessLog); err != nil {
			log.Warn().Err(err).Msg("There is no access log")
		}
	}
	if config.Tracing == nil {
		return middleware.NewObservabilityMgr(*config, registry, semConv, accessLog, nil, nil)
	}
	tracer, closer, err := tracing.NewTracing(ctx, config.Tracing)
	if err != nil {
		log.Warn().Err(err).Msg("There is no tracing")
	}
	return middleware.NewObservabilityMgr(*config, registry, semConv, accessLog, tracer, closer)
}

func tellExpiry(registry metrics.Registry, manager *traefiktls.Manager) {
	gauge := registry.TLSCertsNotAfterTimestampGauge()
	for _, certificate := range manager.GetServerCertificates() {
		names := slices.Sorted(slices.Values(certificate.DNSNames))
		gauge.With(
			"cn", certificate.Subject.CommonName,
			"serial", certificate.SerialNumber.String(),
			"sans", strings.Join(names, ","),
		).Set(float64(certificate.NotAfter.Unix()))
	}
}

// resolvers get certificates by ACME, for who has configured them.
type resolvers struct {
	all          []*acme.Provider
	byHTTP       *acme.ChallengeHTTP
	byTLS        *acme.ChallengeTLSALPN
	isHTTPWanted bool
}

func newResolvers(config *static.Configuration, providers *aggregator.ProviderAggregator, tlsManager *traefiktls.Manager, pool *safe.Pool) (*resolvers, error) {
	made := &resolvers{byHTTP: acme.NewChallengeHTTP(), byTLS: acme.NewChallengeTLSALPN()}
	if err := providers.AddProvider(made.byTLS); err != nil {
		return nil, err
	}
	stores := map[string]*acme.LocalStore{}
	for name, resolver := range config.CertificatesResolvers {
		if resolver.ACME == nil {
			continue
		}
		file := resolver.ACME.Storage
		if stores[file] == nil {
			stores[file] = acme.NewLocalStore(file, pool)
		}
		one := &acme.Provider{
			Configuration:         resolver.ACME,
			Store:                 stores[file],
			ResolverName:          name,
			HTTPChallengeProvider: made.byHTTP,
			TLSChallengeProvider:  made.byTLS,
		}
		if err := providers.AddProvider(one); err != nil {
			log.Error().Err(err).Str("resolver", name).Msg("There is no such certificates resolver")
			continue
		}
		one.SetTLSManager(tlsManager)
		one.SetConfigListenerChan(make(chan dynamic.Configuration))
		made.all = append(made.all, one)
		made.isHTTPWanted = made.isHTTPWanted || one.HTTPChallenge != nil
	}
	return made, nil
}

func (r *resolvers) httpHandler() http.Handler {
	if !r.isHTTPWanted {
		return nil
	}
	return r.byHTTP
}

func (r *resolvers) listen(watcher *server.ConfigurationWatcher) {
	watcher.AddListener(r.byTLS.ListenConfiguration)
	names := map[string]bool{}
	for _, one := range r.all {
		names[one.ResolverName] = true
		watcher.AddListener(one.ListenConfiguration)
	}
	watcher.AddListener(func(conf dynamic.Configuration) {
		for router, one := range conf.HTTP.Routers {
			if one.TLS != nil && one.TLS.CertResolver != "" && !names[one.TLS.CertResolver] {
				log.Error().Str("router", router).Str("resolver", one.TLS.CertResolver).Msg("There is no such certificates resolver")
			}
		}
	})
}
