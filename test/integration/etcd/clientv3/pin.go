// Package clientv3 exists for its go.mod.
package clientv3

import _ "go.etcd.io/etcd/tests/v3/framework/integration"
