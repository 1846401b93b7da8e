// Package moves fills the data of an etcd that has not been started yet with
// what another datastore holds, so that nobody who speaks to it notices more
// than a compaction: each key has its version and its revisions, each lease
// what is left of it, and the next write has the revision after the last one.
//
//	etcd-import --data-dir DIR --name NAME --peer-url URL <records
//	etcd-import --data-dir DIR --name NAME --peer-url URL --snapshot FILE
//
// The second form makes a cluster of one of what etcd's own snapshot holds. Its
// revisions go on where no client has been, and what was before is compacted.
//
// Records come on stdin, each as four bytes of its length, big-endian, one
// letter, and
//
//	r  the revision, in decimal digits; first of all
//	l  a leasepb.Lease
//	k  an mvccpb.KeyValue
//	e  nothing: the end, without which nothing is made
//
// On stdout there is {"keys": N, "sha256": HEX}, of what etcd itself reads
// from the data afterwards; see digest.
package moves

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/coreos/go-semver/semver"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/lease"
	"go.etcd.io/etcd/server/v3/lease/leasepb"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

const (
	// Of one object, and what surrounds it.
	maxRecordBytes = 64 << 20
	// Keys that are read back at a time.
	page = 1000
	// More than was ever written after a snapshot; as etcd's own guide has it.
	revisionBump = 1_000_000_000
)

// storageVersion is what etcd expects to find in data that it has not written
// itself: the fields that came after it are etcd's to add.
var storageVersion = semver.Version{Major: 3, Minor: 6}

// Main returns the exit code.
func Main(args []string, in io.Reader, out, problems io.Writer) int {
	flags := flag.NewFlagSet("etcd-import", flag.ContinueOnError)
	flags.SetOutput(problems)
	dataDir := flags.String("data-dir", "", "where the data is to be; nothing is there yet")
	name := flags.String("name", "", "of the member")
	peerURL := flags.String("peer-url", "", "at which other members reach it")
	file := flags.String("snapshot", "", "that is restored")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	cluster := snapshot.RestoreConfig{
		Name:                *name,
		PeerURLs:            []string{*peerURL},
		InitialCluster:      *name + "=" + *peerURL,
		InitialClusterToken: "etcd-cluster",
	}
	if *file != "" {
		cluster.SnapshotPath = *file
		cluster.OutputDataDir = *dataDir
		cluster.RevisionBump = revisionBump
		cluster.MarkCompacted = true
		if err := snapshot.NewV3(zap.NewNop()).Restore(cluster); err != nil {
			fmt.Fprintln(problems, err)
			return 1
		}
		return 0
	}
	result, err := importTo(*dataDir, cluster, in)
	if err != nil {
		fmt.Fprintln(problems, err)
		return 1
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		fmt.Fprintln(problems, err)
		return 1
	}
	return 0
}

type digest struct {
	Keys   int64  `json:"keys"`
	Sha256 string `json:"sha256"`
}

func importTo(dataDir string, cluster snapshot.RestoreConfig, in io.Reader) (*digest, error) {
	raw := filepath.Join(dataDir, "import.db")
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, err
	}
	revision, err := fill(raw, in)
	if err != nil {
		return nil, err
	}
	member := filepath.Join(dataDir, "whole")
	cluster.SnapshotPath = raw
	cluster.OutputDataDir = member
	cluster.SkipHashCheck = true
	if err := snapshot.NewV3(zap.NewNop()).Restore(cluster); err != nil {
		return nil, fmt.Errorf("the member is not made: %w", err)
	}
	if err := os.Remove(raw); err != nil {
		return nil, err
	}
	result, err := readBack(filepath.Join(member, "member", "snap", "db"), revision)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(member, "member"), filepath.Join(dataDir, "member")); err != nil {
		return nil, err
	}
	return result, os.Remove(member)
}

// fill writes what comes as an etcd's database and returns its revision.
func fill(path string, in io.Reader) (int64, error) {
	be := backend.NewDefaultBackend(zap.NewNop(), path)
	defer be.Close()
	tx := be.BatchTx()
	tx.LockOutsideApply()
	for _, bucket := range schema.AllBuckets {
		tx.UnsafeCreateBucket(bucket)
	}
	schema.UnsafeSetStorageVersion(tx, &storageVersion)
	tx.Unlock()

	var revision int64
	// Of a transaction that has written several keys each has a place of its own.
	places := map[int64]int64{}
	isWhole := false
	err := records(in, func(kind byte, record []byte) (err error) {
		tx.LockOutsideApply()
		defer tx.Unlock()
		switch kind {
		case 'r':
			revision, err = strconv.ParseInt(string(record), 10, 64)
			return err
		case 'l':
			var one leasepb.Lease
			if err := proto.Unmarshal(record, &one); err != nil {
				return err
			}
			schema.MustUnsafePutLease(tx, &one)
		case 'k':
			var one mvccpb.KeyValue
			if err := proto.Unmarshal(record, &one); err != nil {
				return err
			}
			main := one.GetModRevision()
			if main < 1 || main > revision {
				return fmt.Errorf("%q has the revision %d, and the last one is %d", one.GetKey(), main, revision)
			}
			at := mvcc.RevToBytes(mvcc.Revision{Main: main, Sub: places[main]}, mvcc.NewRevBytes())
			places[main]++
			tx.UnsafePut(schema.Key, at, record)
		case 'e':
			isWhole = true
		default:
			return fmt.Errorf("a record of the unknown kind %q", kind)
		}
		return nil
	})
	if err == nil && !isWhole {
		err = errors.New("the records end before their end")
	}
	if err != nil {
		return 0, err
	}
	// What was before is compacted: a watch from there is refused, and its client lists anew.
	mvcc.SetScheduledCompact(tx, revision)
	mvcc.SetFinishedCompact(tx, revision)
	be.ForceCommit()
	return revision, nil
}

func records(in io.Reader, take func(kind byte, record []byte) error) error {
	reader := bufio.NewReaderSize(in, 1<<20)
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(reader, head); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head)
		if size > maxRecordBytes {
			return fmt.Errorf("a record of %d bytes", size)
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(reader, record); err != nil {
			return err
		}
		if err := take(head[4], record); err != nil {
			return err
		}
	}
}

// readBack lets etcd's own storage read everything, in the order of keys. The
// hash is over, for each, the key, the value, and as eight bytes each the
// revisions of its making and its last change, its version and its lease.
func readBack(path string, revision int64) (*digest, error) {
	be := backend.NewDefaultBackend(zap.NewNop(), path)
	defer be.Close()
	store := mvcc.NewStore(zap.NewNop(), be, &lease.FakeLessor{}, mvcc.StoreConfig{})
	defer store.Close()
	if store.Rev() != revision {
		return nil, fmt.Errorf("etcd reads the revision %d, not %d", store.Rev(), revision)
	}
	hash := sha256.New()
	result := &digest{}
	for from := []byte{0}; ; {
		answer, err := store.Range(context.Background(), from, []byte{}, mvcc.RangeOptions{Limit: page, Rev: revision})
		if err != nil {
			return nil, err
		}
		for _, one := range answer.KVs {
			hash.Write(one.Key)
			hash.Write(one.Value)
			for _, number := range []int64{one.CreateRevision, one.ModRevision, one.Version, one.Lease} {
				_ = binary.Write(hash, binary.BigEndian, number)
			}
			result.Keys++
			from = append(append([]byte{}, one.Key...), 0)
		}
		if len(answer.KVs) < page {
			break
		}
	}
	result.Sha256 = hex.EncodeToString(hash.Sum(nil))
	return result, nil
}
