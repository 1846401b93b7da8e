// Package upstream names Kubernetes' end-to-end tests for go.mod; the programs beside them are tools there.
package upstream

import _ "k8s.io/kubernetes/test/e2e"
