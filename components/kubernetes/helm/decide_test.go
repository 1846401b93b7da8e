package helm

import (
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var want = request{Name: "web", ConfigHash: "new", TimeoutMs: 300_000, FailurePolicy: "reinstall"}

func ours(version int, status common.Status, hash string) *release.Release {
	one := theirs(version, status)
	one.Labels = labelsOf(hash, version)
	return one
}

func theirs(version int, status common.Status) *release.Release {
	return &release.Release{
		Version: version,
		Info:    &release.Info{Status: status, LastDeployed: now.Add(-time.Second)},
		Labels:  map[string]string{},
	}
}

func old(one *release.Release) *release.Release {
	one.Info.LastDeployed = now.Add(-time.Hour)
	return one
}

// carriedAlong is what somebody else's helm makes of a revision of ours: it
// takes its labels along.
func carriedAlong(version int, status common.Status) *release.Release {
	one := theirs(version, status)
	one.Labels = labelsOf("new", version-1)
	return one
}

func TestDecide(t *testing.T) {
	abort := want
	abort.FailurePolicy = "abort"
	for name, test := range map[string]struct {
		history []*release.Release
		want    request
		step    step
	}{
		"nothing there":            {nil, want, install},
		"uninstalled by hand":      {[]*release.Release{theirs(3, common.StatusUninstalled)}, want, install},
		"as it is wanted":          {[]*release.Release{ours(1, common.StatusDeployed, "new")}, want, nothing},
		"other values":             {[]*release.Release{ours(1, common.StatusDeployed, "old")}, want, upgrade},
		"upgraded by hand":         {[]*release.Release{ours(1, common.StatusSuperseded, "new"), carriedAlong(2, common.StatusDeployed)}, want, upgrade},
		"installed by hand":        {[]*release.Release{theirs(1, common.StatusDeployed)}, want, upgrade},
		"never ran":                {[]*release.Release{ours(1, common.StatusFailed, "new")}, want, reinstall},
		"never ran, abort":         {[]*release.Release{ours(1, common.StatusFailed, "old")}, abort, upgrade},
		"killed installing":        {[]*release.Release{ours(1, common.StatusPendingInstall, "new")}, want, reinstall},
		"killed installing, abort": {[]*release.Release{ours(1, common.StatusPendingInstall, "new")}, abort, upgrade},
		"somebody installs":        {[]*release.Release{theirs(1, common.StatusPendingInstall)}, want, wait},
		"somebody was killed":      {[]*release.Release{old(theirs(1, common.StatusPendingInstall))}, want, reinstall},
		"killed upgrading":         {[]*release.Release{ours(1, common.StatusDeployed, "old"), ours(2, common.StatusPendingUpgrade, "new")}, want, upgrade},
		"somebody upgrades":        {[]*release.Release{ours(1, common.StatusDeployed, "new"), carriedAlong(2, common.StatusPendingUpgrade)}, want, wait},
		"failed upgrading":         {[]*release.Release{ours(1, common.StatusDeployed, "old"), ours(2, common.StatusFailed, "new")}, want, upgrade},
		"killed rolling back": {[]*release.Release{
			ours(1, common.StatusDeployed, "old"), ours(2, common.StatusFailed, "new"), carriedAlong(3, common.StatusPendingRollback),
		}, want, upgrade},
		"somebody rolls back": {[]*release.Release{
			ours(1, common.StatusSuperseded, "old"), ours(2, common.StatusDeployed, "new"), carriedAlong(3, common.StatusPendingRollback),
		}, want, wait},
		"killed between the two writes of an upgrade": {[]*release.Release{
			ours(1, common.StatusSuperseded, "old"), ours(2, common.StatusPendingUpgrade, "new"),
		}, want, upgrade},
		"killed uninstalling": {[]*release.Release{ours(1, common.StatusUninstalling, "new")}, want, reinstall},
	} {
		t.Run(name, func(t *testing.T) {
			if step := decide(test.history, test.want, now); step != test.step {
				t.Errorf("%s, not %s", step, test.step)
			}
		})
	}
}

func TestLastGoodIsWhatRunsNow(t *testing.T) {
	history := []*release.Release{
		ours(1, common.StatusSuperseded, "a"), ours(2, common.StatusDeployed, "b"),
		ours(3, common.StatusSuperseded, "c"), ours(4, common.StatusFailed, "d"),
	}
	if good := lastGood(history); good.Version != 2 {
		t.Errorf("revision %d, and 2 is deployed", good.Version)
	}
	if good := lastGood(history[:1]); good.Version != 1 {
		t.Errorf("revision %d", good.Version)
	}
	if good := lastGood(history[3:]); good != nil {
		t.Errorf("revision %d never ran", good.Version)
	}
}
