package helm

import (
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	kubefake "helm.sh/helm/v4/pkg/kube/fake"
	releasecommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// cluster keeps releases in memory and takes every object.
type cluster struct {
	t        *testing.T
	releases *storage.Storage
	kube     *refusing
	steps    []string
}

// refusing takes every object, but for some updates.
type refusing struct {
	kubefake.PrintingKubeClient
	refusals int
}

func (r *refusing) Update(original, target kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	if r.refusals > 0 {
		r.refusals--
		return &kube.Result{}, errors.New("refused")
	}
	return r.PrintingKubeClient.Update(original, target, options...)
}

func newCluster(t *testing.T) *cluster {
	printing := kubefake.PrintingKubeClient{Out: io.Discard, LogOutput: io.Discard}
	return &cluster{t: t, releases: storage.Init(driver.NewMemory()), kube: &refusing{PrintingKubeClient: printing}}
}

func (c *cluster) operation(want request) *operation {
	config := action.NewConfiguration()
	kept := &problems{}
	config.SetLogger(slog.Handler(kept))
	config.Releases = c.releases
	config.KubeClient = c.kube
	config.Capabilities = common.DefaultCapabilities
	tell := func(line report) { c.steps = append(c.steps, line.Reason) }
	return &operation{want: want, config: config, settings: cli.New(), dir: c.t.TempDir(), problems: kept, tell: tell}
}

func (c *cluster) apply(want request) (report, error) { return c.operation(want).apply(c.t.Context()) }

func (c *cluster) statuses() []releasecommon.Status {
	history, err := c.operation(request{Name: "web"}).history()
	if err != nil {
		c.t.Fatal(err)
	}
	var all []releasecommon.Status
	for _, one := range history {
		all = append(all, one.Info.Status)
	}
	return all
}

func toy(t *testing.T) string {
	one := &chart.Chart{
		Metadata:  &chart.Metadata{APIVersion: "v2", Name: "toy", Version: "1.0.0", AppVersion: "3"},
		Templates: []*common.File{{Name: "templates/a.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}}\n")}},
	}
	path, err := chartutil.Save(one, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(archive)
}

func asked(t *testing.T, hash, values string) request {
	return request{
		Action: "apply", Name: "web", Namespace: "shop", ConfigHash: hash, TimeoutMs: 1000, FailurePolicy: "reinstall",
		Chart: chartSource{Content: toy(t)}, Values: []valuesPiece{{From: "a test", Content: values}},
	}
}

func (c *cluster) expect(got report, err error, reason string, revision int) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	if got.Reason != reason || got.Release == nil || got.Release.Revision != revision || got.Release.Chart != "toy-1.0.0" {
		c.t.Errorf("%+v %+v, not %s %d", got, got.Release, reason, revision)
	}
}

func TestAReleaseIsInstalledLeftAloneUpgradedAndRemoved(t *testing.T) {
	c := newCluster(t)
	first := asked(t, "a", "name: one")
	got, err := c.apply(first)
	c.expect(got, err, "Installed", 1)
	got, err = c.apply(first)
	c.expect(got, err, "Unchanged", 1)
	got, err = c.apply(asked(t, "b", ""))
	c.expect(got, err, "Upgraded", 2)
	history, _ := c.operation(first).history()
	if len(newest(history).Config) > 0 {
		t.Errorf("values that are wanted no more: %v", newest(history).Config)
	}
	for _, reason := range []string{"Uninstalled", "Absent"} {
		if got, err = c.operation(first).remove(t.Context()); err != nil || got.Reason != reason {
			t.Errorf("%+v %v, not %s", got, err, reason)
		}
	}
}

func TestAnUpgradeThatFailsIsRolledBackUnlessItIsToBeKept(t *testing.T) {
	for policy, last := range map[string]releasecommon.Status{"reinstall": releasecommon.StatusDeployed, "abort": releasecommon.StatusFailed} {
		c := newCluster(t)
		if _, err := c.apply(asked(t, "a", "name: one")); err != nil {
			t.Fatal(err)
		}
		c.kube.refusals = 1
		want := asked(t, "b", "name: two")
		want.FailurePolicy = policy
		var known *failure
		if _, err := c.apply(want); !errors.As(err, &known) || known.reason != "UpgradeFailed" || !known.retry {
			t.Errorf("%s: %v", policy, err)
		}
		if statuses := c.statuses(); statuses[len(statuses)-1] != last {
			t.Errorf("%s: %v", policy, statuses)
		}
		if policy == "reinstall" && !slices.Equal(c.steps, []string{"RolledBack"}) {
			t.Error(c.steps)
		}
		if got, err := c.apply(want); err != nil || got.Reason != "Upgraded" {
			t.Errorf("%s: %+v %v", policy, got, err)
		}
	}
}

func TestAReleaseThatWasLeftInTheMiddleIsPutRight(t *testing.T) {
	c := newCluster(t)
	want := asked(t, "a", "name: one")
	if _, err := c.apply(want); err != nil {
		t.Fatal(err)
	}
	history, _ := c.operation(want).history()
	c.set(newest(history), releasecommon.StatusPendingInstall)
	got, err := c.apply(want)
	c.expect(got, err, "Installed", 1)
	if !slices.Equal(c.steps, []string{"Recovering", "Reinstalling"}) {
		t.Error(c.steps)
	}
	if statuses := c.statuses(); !slices.Equal(statuses, []releasecommon.Status{releasecommon.StatusDeployed}) {
		t.Error(statuses)
	}
}

func TestWhatSomebodyElseWorksOnIsLeftAlone(t *testing.T) {
	c := newCluster(t)
	want := asked(t, "a", "name: one")
	want.TimeoutMs = 60_000
	if _, err := c.apply(want); err != nil {
		t.Fatal(err)
	}
	history, _ := c.operation(want).history()
	newest(history).Labels = map[string]string{}
	c.set(newest(history), releasecommon.StatusPendingUpgrade)
	for _, run := range []func() (report, error){
		func() (report, error) { return c.apply(want) },
		func() (report, error) { return c.operation(want).remove(t.Context()) },
	} {
		var known *failure
		if _, err := run(); !errors.As(err, &known) || known.reason != "ReleaseBusy" || !known.retry {
			t.Error(err)
		}
	}
}

func (c *cluster) set(one *release.Release, status releasecommon.Status) {
	c.t.Helper()
	one.Info.Status = status
	if err := c.releases.Update(one); err != nil {
		c.t.Fatal(err)
	}
}

func TestWhatCannotBeReadIsTold(t *testing.T) {
	c := newCluster(t)
	for name, change := range map[string]func(*request){
		"ValuesInvalid": func(r *request) { r.Values[0].Content = "a: [" },
		"ChartInvalid":  func(r *request) { r.Chart.Content = "%%%" },
		"SpecInvalid":   func(r *request) { r.Chart = chartSource{Chart: "/etc/passwd"} },
	} {
		want := asked(t, "a", "name: one")
		change(&want)
		var known *failure
		if _, err := c.apply(want); !errors.As(err, &known) || known.reason != name || known.retry {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(c.statuses()) > 0 {
		t.Error("and something was installed")
	}
}
