package helm

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/loader"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/registry"
)

// remote is what a chart may be named by without a repository: nothing leads
// to a file of this host.
var remote = regexp.MustCompile(`^(https?|oci)://`)

// openChart brings the chart here and reads it.
func openChart(source chartSource, settings *cli.EnvSettings, dir string) (*chart.Chart, error) {
	if source.Content != "" {
		archive, err := base64.StdEncoding.DecodeString(withoutSpace(source.Content))
		if err != nil {
			return nil, &failure{reason: "ChartInvalid", cause: fmt.Errorf("chartContent is not base64: %w", err)}
		}
		return readChart(bytes.NewReader(archive), false)
	}
	path, err := download(source, settings, dir)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readChart(file, true)
}

func withoutSpace(text string) string { return strings.Join(strings.Fields(text), "") }

// readChart reads an archive. mayChange: it comes from a place where another
// one may be next time.
func readChart(archive io.Reader, mayChange bool) (*chart.Chart, error) {
	invalid := func(err error) error { return &failure{reason: "ChartInvalid", retry: mayChange, cause: err} }
	loaded, err := loader.LoadArchive(archive)
	if err != nil {
		return nil, invalid(fmt.Errorf("the chart cannot be read: %w", err))
	}
	read, isKnown := loaded.(*chart.Chart)
	if !isKnown {
		return nil, invalid(errors.New("the chart has an apiVersion other than v1 and v2"))
	}
	if kind := read.Metadata.Type; kind != "" && kind != "application" {
		return nil, invalid(fmt.Errorf("the chart is of type %s, which is not installed", kind))
	}
	return read, nil
}

func download(source chartSource, settings *cli.EnvSettings, dir string) (string, error) {
	if source.Repo == "" && !remote.MatchString(source.Chart) {
		return "", &failure{reason: "SpecInvalid", cause: fmt.Errorf(
			"chart %q is no https:// or oci:// address, and there is no repo that it could be in", source.Chart)}
	}
	unavailable := func(err error) error {
		return &failure{reason: "ChartUnavailable", retry: true, cause: fmt.Errorf("the chart is not to be had: %w", err)}
	}
	caFile, err := written(dir, "ca.pem", source.CA)
	if err != nil {
		return "", err
	}
	registryClient, err := registryClientFor(source, dir)
	if err != nil {
		return "", err
	}
	// Install is the action that tells a registry's client from outside; the
	// paths are the same for all.
	finder := action.NewInstall(action.NewConfiguration())
	finder.SetRegistryClient(registryClient)
	finder.RepoURL = source.Repo
	finder.Version = source.Version
	finder.Username = source.Username
	finder.Password = source.Password
	finder.PassCredentialsAll = source.PassCredentials
	finder.CaFile = caFile
	finder.InsecureSkipTLSVerify = source.InsecureSkipTLSVerify
	finder.PlainHTTP = source.PlainHTTP
	path, err := finder.LocateChart(source.Chart, settings)
	if err != nil {
		return "", unavailable(err)
	}
	return path, nil
}

func registryClientFor(source chartSource, dir string) (*registry.Client, error) {
	credentials, err := written(dir, "registry.json", source.DockerConfig)
	if err != nil {
		return nil, err
	}
	if credentials == "" {
		credentials = filepath.Join(dir, "none.json")
	}
	options := []registry.ClientOption{
		registry.ClientOptWriter(io.Discard),
		registry.ClientOptCredentialsFile(credentials),
		registry.ClientOptBasicAuth(source.Username, source.Password),
	}
	if source.PlainHTTP {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	if source.CA != "" || source.InsecureSkipTLSVerify {
		trust := &tls.Config{InsecureSkipVerify: source.InsecureSkipTLSVerify} //nolint:gosec // the HelmChart asks for it
		if source.CA != "" {
			trust.RootCAs = x509.NewCertPool()
			if !trust.RootCAs.AppendCertsFromPEM([]byte(source.CA)) {
				return nil, &failure{reason: "SpecInvalid", cause: errors.New("repoCA has no certificate in PEM")}
			}
		}
		transport := &http.Transport{TLSClientConfig: trust, Proxy: http.ProxyFromEnvironment}
		options = append(options, registry.ClientOptHTTPClient(&http.Client{Transport: transport}))
	}
	return registry.NewClient(options...)
}

// written puts a text where helm reads files; "" for none.
func written(dir, name, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
