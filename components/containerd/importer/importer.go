// Package importer brings an archive of images into containerd, as k3s does: whatever it is compressed with, by one reading.
package importer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/platforms"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Run is `image-import --address SOCKET --namespace NAME --snapshotter NAME --label KEY=VALUE FILE`. It prints the names that
// the images have in containerd, as a list in JSON.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	address := flags.String("address", "", "containerd's socket")
	namespace := flags.String("namespace", "", "where the images go")
	snapshotter := flags.String("snapshotter", "", "which unpacks them")
	label := flags.String("label", "", "that each image gets")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("one archive is to be named")
	}
	file, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	reader, err := decompressed(file)
	if err != nil {
		return err
	}
	client, err := containerd.New(*address)
	if err != nil {
		return err
	}
	defer client.Close()
	key, value, _ := strings.Cut(*label, "=")
	names, err := load(namespaces.WithNamespace(ctx, *namespace), client, reader, *snapshotter, map[string]string{key: value})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(names)
}

func load(ctx context.Context, client *containerd.Client, reader io.Reader, snapshotter string, labels map[string]string) ([]string, error) {
	ctx, done, err := client.WithLease(ctx)
	if err != nil {
		return nil, err
	}
	defer done(ctx)
	// As ctr does: what has a tag alone gets a name of the day.
	prefix := "import-" + time.Now().Format(time.DateOnly)
	images, err := client.Import(ctx, reader,
		containerd.WithImageRefTranslator(archive.AddRefPrefix(prefix)), containerd.WithImageLabels(labels))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(images))
	for _, image := range images {
		unpacking := containerd.NewImageWithPlatform(client, image, platforms.DefaultStrict())
		if err := unpacking.Unpack(ctx, snapshotter); err != nil {
			return nil, fmt.Errorf("%s: %w", image.Name, err)
		}
		names = append(names, image.Name)
	}
	if len(names) == 0 {
		return nil, errors.New("no image in it has a name")
	}
	return names, nil
}

// decompressed tells by the first bytes: a name may say something else.
func decompressed(file io.Reader) (io.Reader, error) {
	reader := bufio.NewReaderSize(file, 1<<20)
	head, _ := reader.Peek(6) // what is shorter is no archive, which its reader says
	starts := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case starts("\x1f\x8b"):
		return gzip.NewReader(reader)
	case starts("\x28\xb5\x2f\xfd"):
		return zstd.NewReader(reader)
	case starts("\x04\x22\x4d\x18"), starts("\x02\x21\x4c\x18"):
		return lz4.NewReader(reader), nil
	case starts("BZh"):
		return bzip2.NewReader(reader), nil
	case starts("\xfd7zXZ\x00"):
		return nil, errors.New("it is compressed with xz, which containerd does not know; compress it with zstd or gzip")
	}
	return reader, nil
}
