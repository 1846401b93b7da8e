// containerd, ctr and an importer of image archives as one executable: the name it is called by chooses.
// They share nearly all of their code, so together they cost what one does.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	ctr "github.com/containerd/containerd/v2/cmd/ctr/app"
	"kagent.sh/components/containerd/importer"

	"github.com/containerd/containerd/v2/cmd/containerd/command"
)

func main() {
	name, run := "containerd", command.App().Run
	time.AfterFunc(startTime, giveUpProgramPages) // ctr and the importer end sooner
	switch filepath.Base(os.Args[0]) {
	case "ctr":
		name, run = "ctr", ctr.New().Run
	case "image-import":
		name, run = "image-import", importer.Run
	}
	if err := run(context.Background(), os.Args); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
