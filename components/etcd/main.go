// etcd, etcdctl and etcd-import as one executable: the name it is called by
// chooses, as in busybox.
package main

import (
	"os"
	"path/filepath"

	"go.etcd.io/etcd/etcdctl/v3/ctlv3"
	"go.etcd.io/etcd/server/v3/etcdmain"

	"kagent.sh/components/etcd/moves"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "etcdctl":
		ctlv3.MustStart()
	case "etcd-import":
		os.Exit(moves.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	default:
		etcdmain.Main(os.Args)
	}
}
