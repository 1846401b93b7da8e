// The shim: one small process beside each pod, which outlives containerd and
// kagent. It is a program of its own because each pod pays for its size.
package main

import (
	"context"
	"time"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task/plugin"
	"github.com/containerd/containerd/v2/pkg/shim"
)

func main() {
	time.AfterFunc(startTime, giveUpProgramPages)
	shim.RunShim(context.Background(), manager.NewShimManager("io.containerd.runc.v2"))
}
