package helm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
	ri "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"helm.sh/helm/v4/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// maxHistory is how many revisions are kept, as helm's own command does.
const maxHistory = 10

// operation is one request being carried out.
type operation struct {
	want     request
	config   *action.Configuration
	settings *cli.EnvSettings
	dir      string
	problems *problems
	tell     func(report)
}

func (o *operation) step(reason, format string, values ...any) {
	o.tell(report{Report: "step", Reason: reason, Message: fmt.Sprintf(format, values...)})
}

// apply brings the release to what is wanted.
func (o *operation) apply(ctx context.Context) (report, error) {
	history, err := o.history()
	if err != nil {
		return report{}, err
	}
	next := decide(history, o.want, time.Now())
	switch last := newest(history); next {
	case wait:
		return report{}, busy(last)
	case nothing:
		return done("Unchanged", last), nil
	}
	values, err := mergedValues(o.want.Values, o.want.Set)
	if err != nil {
		return report{}, &failure{reason: "ValuesInvalid", cause: err}
	}
	// Before anything is touched: a chart that is not to be had changes nothing.
	wanted, err := openChart(o.want.Chart, o.settings, o.dir)
	if err != nil {
		return report{}, err
	}
	if err := o.recover(newest(history)); err != nil {
		return report{}, err
	}
	if next == upgrade {
		return o.upgrade(ctx, history, wanted, values)
	}
	if next == reinstall {
		o.step("Reinstalling", "revision %d never ran; it is removed and installed anew", newest(history).Version)
		if err := o.uninstall(); err != nil {
			return report{}, err
		}
	}
	return o.install(ctx, wanted, values)
}

// remove leaves nothing of the release.
func (o *operation) remove(context.Context) (report, error) {
	history, err := o.history()
	if err != nil {
		return report{}, err
	}
	last := newest(history)
	if last == nil {
		return report{Report: "done", Reason: "Absent", Message: "there is no release"}, nil
	}
	if last.Info.Status.IsPending() && !isInterrupted(history, o.want, time.Now()) {
		return report{}, busy(last)
	}
	if err := o.uninstall(); err != nil {
		return report{}, err
	}
	return report{Report: "done", Reason: "Uninstalled", Message: fmt.Sprintf("release %s is uninstalled", o.want.Name)}, nil
}

func busy(last *release.Release) error {
	return &failure{reason: "ReleaseBusy", retry: true, cause: fmt.Errorf(
		"somebody else's helm works on revision %d (%s since %s)",
		last.Version, last.Info.Status, last.Info.LastDeployed.UTC().Format(time.RFC3339))}
}

// recover ends what nobody works on any more, as helm itself does not.
func (o *operation) recover(last *release.Release) error {
	if last == nil || !last.Info.Status.IsPending() {
		return nil
	}
	o.step("Recovering", "revision %d was interrupted (%s)", last.Version, last.Info.Status)
	last.SetStatus(common.StatusFailed, fmt.Sprintf("interrupted as %s", last.Info.Status))
	return o.config.Releases.Update(last)
}

func (o *operation) install(ctx context.Context, wanted *chart.Chart, values map[string]any) (report, error) {
	installing := action.NewInstall(o.config)
	installing.ReleaseName = o.want.Name
	installing.Namespace = o.want.Namespace
	installing.CreateNamespace = o.want.CreateNamespace
	installing.Replace = true // of one that was uninstalled with its history kept
	installing.Timeout = o.want.timeout()
	installing.WaitStrategy = kube.HookOnlyStrategy
	revision, err := o.nextRevision()
	if err != nil {
		return report{}, err
	}
	installing.Labels = labelsOf(o.want.ConfigHash, revision)
	made, err := installing.RunWithContext(ctx, wanted, values)
	if err != nil {
		return report{}, failed("InstallFailed", err)
	}
	return o.made("Installed", made)
}

func (o *operation) upgrade(ctx context.Context, history []*release.Release, wanted *chart.Chart, values map[string]any) (report, error) {
	upgrading := action.NewUpgrade(o.config)
	upgrading.Namespace = o.want.Namespace
	upgrading.ResetValues = true // without any value it would take the last revision's
	upgrading.ForceConflicts = true
	upgrading.MaxHistory = maxHistory
	upgrading.Timeout = o.want.timeout()
	upgrading.WaitStrategy = kube.HookOnlyStrategy
	revision, err := o.nextRevision()
	if err != nil {
		return report{}, err
	}
	upgrading.Labels = labelsOf(o.want.ConfigHash, revision)
	made, err := upgrading.RunWithContext(ctx, o.want.Name, wanted, values)
	if err != nil {
		return report{}, o.rollBack(failed("UpgradeFailed", err), history, revision)
	}
	return o.made("Upgraded", made)
}

// rollBack lets run again what ran before the upgrade to revision failed; a
// failure that came before the first change leaves nothing to do.
func (o *operation) rollBack(why *failure, history []*release.Release, revision int) error {
	good := lastGood(history)
	now, err := o.history()
	if err != nil || good == nil || o.want.keepsFailed() || newest(now).Version < revision {
		return why
	}
	rolling := action.NewRollback(o.config)
	rolling.Version = good.Version
	rolling.ForceConflicts = true
	rolling.MaxHistory = maxHistory
	rolling.Timeout = o.want.timeout()
	rolling.WaitStrategy = kube.HookOnlyStrategy
	if err := rolling.Run(o.want.Name); err != nil {
		o.step("RollbackFailed", "the rollback to revision %d failed, too: %s", good.Version, err)
		return why
	}
	o.step("RolledBack", "revision %d failed; revision %d runs again", revision, good.Version)
	return why
}

// uninstall removes the release. What is of a kind that the cluster does not
// have any more is gone already, and helm would fail over it for ever.
func (o *operation) uninstall() error {
	err := o.uninstallOnce()
	if err == nil || !o.problems.has(meta.IsNoMatchError) {
		return o.asUninstallFailure(err)
	}
	history, historyErr := o.history()
	if last := newest(history); historyErr == nil && last != nil {
		o.forgetUnknownKinds(last)
		if updateErr := o.config.Releases.Update(last); updateErr == nil {
			err = o.uninstallOnce()
		}
	}
	return o.asUninstallFailure(err)
}

func (o *operation) uninstallOnce() error {
	uninstalling := action.NewUninstall(o.config)
	uninstalling.IgnoreNotFound = true
	uninstalling.Timeout = o.want.timeout()
	uninstalling.WaitStrategy = kube.HookOnlyStrategy
	_, err := uninstalling.Run(o.want.Name)
	return err
}

// asUninstallFailure: helm's error says only that it failed, its log why.
func (o *operation) asUninstallFailure(err error) error {
	if err == nil {
		return nil
	}
	if why := o.problems.last(); why != nil && strings.HasPrefix(err.Error(), "failed to delete release") {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return failed("UninstallFailed", err)
}

func (o *operation) forgetUnknownKinds(last *release.Release) {
	var kept []string
	manifests := releaseutil.SplitManifests(last.Manifest) // manifest-0, manifest-1, …
	inOrder := func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }
	for _, name := range slices.SortedFunc(maps.Keys(manifests), inOrder) {
		_, err := o.config.KubeClient.Build(strings.NewReader(manifests[name]), false)
		if !isInChain(err, meta.IsNoMatchError) {
			kept = append(kept, manifests[name])
		}
	}
	last.Manifest = strings.Join(kept, "\n---\n")
}

// history is sorted, the newest last; empty where there is no release.
func (o *operation) history() ([]*release.Release, error) {
	found, err := o.config.Releases.History(o.want.Name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, &failure{reason: "ClusterUnavailable", retry: true, cause: err}
	}
	history := make([]*release.Release, 0, len(found))
	for _, one := range found {
		known, isKnown := one.(*release.Release)
		if !isKnown {
			return nil, fmt.Errorf("a revision of %s is of another format: %T", o.want.Name, one)
		}
		history = append(history, known)
	}
	releaseutil.SortByRevision(history)
	return history, nil
}

func (o *operation) nextRevision() (int, error) {
	history, err := o.history()
	if last := newest(history); last != nil {
		return last.Version + 1, err
	}
	return 1, err
}

func (o *operation) made(reason string, made ri.Releaser) (report, error) {
	one, isKnown := made.(*release.Release)
	if !isKnown {
		return report{}, fmt.Errorf("helm made a release of another format: %T", made)
	}
	return done(reason, one), nil
}

func done(reason string, one *release.Release) report {
	info := &releaseInfo{Revision: one.Version}
	if one.Chart != nil && one.Chart.Metadata != nil {
		info.Chart = one.Chart.Metadata.Name + "-" + one.Chart.Metadata.Version
		info.AppVersion = one.Chart.Metadata.AppVersion
	}
	return report{
		Report:  "done",
		Reason:  reason,
		Message: fmt.Sprintf("release %s of chart %s, revision %d", one.Name, info.Chart, one.Version),
		Release: info,
	}
}

// failed says whether another try may help: what is refused for its size
// stays as large.
func failed(reason string, err error) *failure {
	if isTooLarge(err) {
		return &failure{reason: "ReleaseTooLarge", cause: fmt.Errorf(
			"helm keeps a release in a Secret, which holds 1 MiB, and this one is larger although it is compressed: "+
				"leave large files out of the chart, or divide it: %w", err)}
	}
	return &failure{reason: reason, retry: true, cause: err}
}

func isTooLarge(err error) bool {
	return apierrors.IsRequestEntityTooLargeError(err) ||
		(apierrors.IsInvalid(err) && strings.Contains(err.Error(), "sh.helm.release.v1") && strings.Contains(err.Error(), "Too long"))
}
