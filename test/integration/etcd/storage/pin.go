// Package storage exists for its go.mod.
package storage

import _ "k8s.io/apiserver/pkg/storage/testing"
