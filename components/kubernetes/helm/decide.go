package helm

import (
	"strconv"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
)

// Labels of a release's Secret. Whoever upgrades it by hand takes them along
// as they are: then the revision is another one.
const (
	hashLabel     = "kagent.sh/config-hash"
	revisionLabel = "kagent.sh/revision"
)

func labelsOf(hash string, revision int) map[string]string {
	return map[string]string{hashLabel: hash, revisionLabel: strconv.Itoa(revision)}
}

type step string

const (
	nothing   step = "nothing"   // it is as it is wanted
	wait      step = "wait"      // somebody else is at work on it
	install   step = "install"   // there is none
	reinstall step = "reinstall" // what never ran is removed first
	upgrade   step = "upgrade"
)

// decide says what brings the release to what is wanted. History is sorted,
// the newest last.
func decide(history []*release.Release, want request, now time.Time) step {
	last := newest(history)
	switch {
	case last == nil || last.Info.Status == common.StatusUninstalled:
		return install
	case last.Info.Status.IsPending() && !isInterrupted(history, want, now):
		return wait
	case last.Info.Status == common.StatusUninstalling:
		return reinstall
	case last.Info.Status == common.StatusDeployed && isOurs(last) && last.Labels[hashLabel] == want.ConfigHash:
		return nothing
	case lastGood(history) != nil || want.keepsFailed():
		return upgrade
	default:
		return reinstall
	}
}

// isInterrupted tells of a newest revision that is pending although nobody
// works on it any more: one of ours, since this process is the only one, or
// one that is older than anybody's helm would wait.
func isInterrupted(history []*release.Release, want request, now time.Time) bool {
	last := newest(history)
	if last == nil || !last.Info.Status.IsPending() {
		return false
	}
	isOld := now.Sub(last.Info.LastDeployed) > want.timeout()
	return isOld || isOurs(last) || isOurRollback(history, want)
}

// isOurs tells whether this controller installed, or upgraded to, the revision.
func isOurs(one *release.Release) bool {
	return one.Labels[revisionLabel] == strconv.Itoa(one.Version)
}

// isOurRollback: it has the labels of the revision that it goes back to, and
// follows at once upon the upgrade of ours that failed.
func isOurRollback(history []*release.Release, want request) bool {
	if len(history) < 2 || want.keepsFailed() || newest(history).Info.Status != common.StatusPendingRollback {
		return false
	}
	before := history[len(history)-2]
	return before.Info.Status == common.StatusFailed && isOurs(before)
}

func newest(history []*release.Release) *release.Release {
	if len(history) == 0 {
		return nil
	}
	return history[len(history)-1]
}

// lastGood is the newest revision that was deployed; nil if none ever was.
func lastGood(history []*release.Release) *release.Release {
	var superseded *release.Release
	for index := len(history) - 1; index >= 0; index-- {
		switch history[index].Info.Status {
		case common.StatusDeployed:
			return history[index]
		case common.StatusSuperseded:
			if superseded == nil {
				superseded = history[index]
			}
		}
	}
	return superseded
}
