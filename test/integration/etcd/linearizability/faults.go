package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"time"
)

// fault is one way in which one kind of call fails; see disk-faults.c for the numbers.
type fault struct {
	name   string
	calls  uint32
	part   string // of the file's name, its end
	action uint32
	err    syscall.Errno
	// most is the last of the calls that may be the one that fails.
	most int
	// isAtStart: while it starts, not under load.
	isAtStart bool
}

const (
	callOpen, callRead, callWrite, callSync, callTruncate = 1, 2, 4, 8, 64

	actionFail, actionShort, actionHang = 1, 2, 3

	hangTime = 300 * time.Millisecond
	// longestWait is for a call that does not come. In more time there are more operations than the checker can put in an order.
	longestWait = 1200 * time.Millisecond
)

var (
	failures = []struct {
		name   string
		action uint32
		err    syscall.Errno
	}{
		{"EIO", actionFail, syscall.EIO}, {"ENOSPC", actionFail, syscall.ENOSPC}, {"EDQUOT", actionFail, syscall.EDQUOT},
		{"EROFS", actionFail, syscall.EROFS}, {"short", actionShort, 0}, {"hang", actionHang, 0},
	}
	places = []fault{
		{name: "write to the log", calls: callWrite, part: "store.db-wal", most: 200},
		{name: "sync of the log", calls: callSync, part: "store.db-wal", most: 50},
		{name: "write to the file", calls: callWrite, part: "store.db", most: 4},
		{name: "sync of the file", calls: callSync, part: "store.db", most: 1},
		{name: "write of what was acknowledged", calls: callWrite, part: "store.db.acknowledged", most: 50},
		{name: "open at the start", calls: callOpen, most: 4, isAtStart: true},
		{name: "read at the start", calls: callRead, most: 10, isAtStart: true},
		{name: "write at the start", calls: callWrite, most: 3, isAtStart: true},
		{name: "sync at the start", calls: callSync, most: 3, isAtStart: true},
		{name: "truncation at the start", calls: callTruncate, most: 1, isAtStart: true},
	}
)

// tally is what became of the rounds of one fault.
type tally struct {
	rounds, met, gaveUp int
}

// disk is what fails under the datastore; nil where it does not.
type disk struct {
	control *os.File
	faults  []fault
	tallies []tally
	// order is in which they come, so that few rounds are others each time.
	order   []int
	current int
}

func openDisk(path string) (*disk, error) {
	if path == "" {
		return nil, nil
	}
	control, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	d := &disk{control: control}
	for _, place := range places {
		for _, failure := range failures {
			moves := place.calls == callRead || place.calls == callWrite
			if failure.action == actionShort && !moves {
				continue
			}
			one := place
			one.name, one.action, one.err = failure.name+" "+place.name, failure.action, failure.err
			d.faults = append(d.faults, one)
		}
	}
	d.tallies = make([]tally, len(d.faults))
	d.order = rand.Perm(len(d.faults))
	return d, nil
}

// failAndKill makes the disk fail in this round, each in another way, and kills the datastore so long after it met that.
func (d *disk) failAndKill(round int, random *rand.Rand, store *server, life time.Duration) {
	if d == nil {
		store.killAfter(life)
		return
	}
	d.current = d.order[round%len(d.faults)]
	d.tallies[d.current].rounds++
	one := d.faults[d.current]
	if one.isAtStart {
		store.killAfter(life)
		return
	}
	d.arm(one, random)
	if one.action == actionHang {
		life += hangTime
	}
	go func() {
		d.awaitMet(store.killed())
		store.killAfter(life)
	}()
}

func (d *disk) awaitMet(ended <-chan struct{}) {
	for deadline := time.Now().Add(longestWait); d.met() == 0 && time.Now().Before(deadline); {
		select {
		case <-ended:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// restart starts the datastore, which has ended, on a disk that fails once more if that is this round's fault, and then on a
// whole one.
func (d *disk) restart(store *server, random *rand.Rand) error {
	if d == nil {
		return store.start()
	}
	one, count := d.faults[d.current], &d.tallies[d.current]
	if one.isAtStart {
		d.arm(one, random)
		err := store.start()
		met := d.disarm()
		count.met += met
		if err == nil || met == 0 || !errors.Is(err, errEnded) {
			return err
		}
		count.gaveUp++
		if err := d.checkWords(store); err != nil {
			return err
		}
		return store.start()
	}
	met := d.disarm()
	count.met += met
	if hasGivenUp, _ := store.gaveUp(); hasGivenUp {
		count.gaveUp++
		if err := d.checkWords(store); err != nil {
			return err
		}
		if met == 0 {
			return fmt.Errorf("the datastore ended without a fault")
		}
	}
	return store.start()
}

func (d *disk) checkWords(store *server) error {
	_, words := store.gaveUp()
	if strings.Contains(words, store.dir) && strings.Contains(words, "df, mount, dmesg") {
		return nil
	}
	return fmt.Errorf("%s: the datastore ended and does not say which file, or what to do: %s", d.faults[d.current].name, words)
}

func (d *disk) arm(one fault, random *rand.Rand) {
	d.disarm()
	bytes := make([]byte, 384)
	times := uint32(1)
	if random.IntN(2) == 0 {
		times = math.MaxUint32 // until it is whole again
	}
	words := []uint32{0, one.calls, uint32(1 + random.IntN(one.most)), times, one.action, uint32(one.err), uint32(hangTime.Milliseconds())}
	if one.action == actionHang {
		words[3] = 1
	}
	for i, word := range words {
		binary.LittleEndian.PutUint32(bytes[4*i:], word)
	}
	copy(bytes[40:127], one.part)
	d.write(bytes)
	d.write([]byte{1, 0, 0, 0})
}

// disarm makes the disk whole, and says whether the fault was met (1) or not (0).
func (d *disk) disarm() int {
	d.write([]byte{0, 0, 0, 0})
	return d.met()
}

func (d *disk) met() int {
	var fired [4]byte
	if _, err := d.control.ReadAt(fired[:], 32); err != nil {
		panic(err)
	}
	return int(min(binary.LittleEndian.Uint32(fired[:]), 1))
}

func (d *disk) write(bytes []byte) {
	if _, err := d.control.WriteAt(bytes, 0); err != nil {
		panic(err)
	}
}

// print makes a table of what became of each fault.
func (d *disk) print() {
	if d == nil {
		return
	}
	fmt.Println("| Fault under load | rounds | met | ended, naming the file | had not ended when killed |")
	fmt.Println("| --- | --: | --: | --: | --: |")
	var all tally
	for i, one := range d.faults {
		count := d.tallies[i]
		all.rounds, all.met, all.gaveUp = all.rounds+count.rounds, all.met+count.met, all.gaveUp+count.gaveUp
		fmt.Printf("| %s | %d | %d | %d | %d |\n", one.name, count.rounds, count.met, count.gaveUp, count.met-count.gaveUp)
	}
	fmt.Printf("| all | %d | %d | %d | %d |\n", all.rounds, all.met, all.gaveUp, all.met-all.gaveUp)
}
