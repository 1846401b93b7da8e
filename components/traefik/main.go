// Traefik with what a cluster has a use for: the providers of Kubernetes' own
// objects, Traefik's and the Gateway API's. Upstream's command brings those of
// a dozen other systems, plugins with an interpreter and a hundred clients of
// DNS services with it. It accepts upstream's options; one that is left out is
// refused by its name.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog/log"
	"github.com/traefik/paerser/cli"
	"github.com/traefik/traefik/v3/cmd"
	cmdversion "github.com/traefik/traefik/v3/cmd/version"
	tcli "github.com/traefik/traefik/v3/pkg/cli"
	"github.com/traefik/traefik/v3/pkg/config/static"
	"github.com/traefik/traefik/v3/pkg/version"

	// An image of one file has no certificates of authorities: these are for ACME and for backends with public names.
	_ "golang.org/x/crypto/x509roots/fallback"
)

func main() {
	config := cmd.NewTraefikConfiguration()
	config.Global.CheckNewVersion = false
	command := &cli.Command{
		Name:          "traefik",
		Description:   "Traefik, as kagent builds it for a cluster.",
		Configuration: config,
		Resources:     []cli.ResourceLoader{&tcli.DeprecationLoader{}, &tcli.FileLoader{}, &tcli.FlagLoader{}, &tcli.EnvLoader{}},
		Run:           func([]string) error { return run(&config.Configuration) },
	}
	err := command.AddCommand(cmdversion.NewCmd())
	if err == nil {
		err = cli.Execute(command)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(config *static.Configuration) error {
	setUpLog(config.Log)
	if err := refuse(config); err != nil {
		return err
	}
	http.DefaultTransport.(*http.Transport).Proxy = http.ProxyFromEnvironment
	config.SetEffectiveConfiguration()
	if err := config.ValidateConfiguration(); err != nil {
		return err
	}
	log.Info().Str("version", version.Version).Msg("Traefik starts")

	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if config.Ping != nil {
		config.Ping.WithContext(ctx)
	}
	router, err := newRouter(config)
	if err != nil {
		return err
	}
	router.serve(ctx)
	return nil
}

// refuse names what upstream's configuration has and this program does not.
func refuse(config *static.Configuration) error {
	left := map[string]bool{
		"global.checkNewVersion":    config.Global != nil && config.Global.CheckNewVersion,
		"global.sendAnonymousUsage": config.Global != nil && config.Global.SendAnonymousUsage,
		"spiffe":                    config.Spiffe != nil,
		"log.otlp":                  config.Log != nil && config.Log.OTLP != nil,
		"metrics.datadog":           config.Metrics != nil && config.Metrics.Datadog != nil,
		"metrics.statsD":            config.Metrics != nil && config.Metrics.StatsD != nil,
		"metrics.influxDB2":         config.Metrics != nil && config.Metrics.InfluxDB2 != nil,
	}
	for name, resolver := range config.CertificatesResolvers {
		left["certificatesResolvers."+name+".tailscale"] = resolver.Tailscale != nil
	}
	for name, isSet := range left {
		if isSet {
			return fmt.Errorf("%s: kagent's build of Traefik does not have this option", name)
		}
	}
	return nil
}
