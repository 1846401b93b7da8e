// Command linearizability runs concurrent clients against a datastore that is killed with SIGKILL at random moments, and
// started again, and checks with porcupine that everything they saw could have happened one after the other: no
// acknowledged write is lost, no revision is given twice, no read is stale. One watch over all keys must see each
// revision once, in order, through all the kills.
//
// With -faults the disk fails in each round before the kill, by a library in the datastore's process: what was
// acknowledged must be there all the same, and a datastore that ends says which file it was.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"time"
)

func main() {
	kills := flag.Int("kills", 200, "how often the datastore is killed")
	clients := flag.Int("clients", 8, "how many clients write and read at once")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the random choices come from")
	report := flag.String("report", "violation.html", "where a violation is drawn")
	control := flag.String("faults", "", "the control file of disk-faults.c, which is in the datastore's process")
	flag.Parse()
	log.SetFlags(0)
	var command []string
	if err := json.Unmarshal([]byte(os.Getenv("KAGENT_TEST_SERVE")), &command); err != nil || len(command) == 0 {
		log.Fatalf("KAGENT_TEST_SERVE is no list of words: %v", err)
	}
	disk, err := openDisk(*control)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(command, disk, *kills, *clients, *seed, *report); err != nil {
		log.Fatalf("seed %d: %v", *seed, err)
	}
}

func run(command []string, disk *disk, kills, clients int, seed uint64, report string) error {
	random := rand.New(rand.NewPCG(seed, 0))
	store, err := startServer(command)
	if err != nil {
		return err
	}
	defer store.remove()
	first, err := readState(store.endpoint())
	if err != nil {
		return err
	}
	watch := followAll(store.endpoint(), first.revision+1)
	defer watch.stop()
	load := newLoad(store.endpoint(), clients, seed)

	known := first
	var acknowledged, unknown int
	began := time.Now()
	for round := range kills {
		life := time.Duration(50+random.IntN(350)) * time.Millisecond
		disk.failAndKill(round, random, store, life)
		history := load.run(known, store.killed())
		if err := disk.restart(store, random); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		after, err := readState(store.endpoint())
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := check(known, history, after, report); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		watch.expect(history)
		known = after
		acknowledged += history.acknowledged()
		unknown += history.unknown()
	}
	events, err := watch.finish(known.revision)
	if err != nil {
		return err
	}
	disk.print()
	fmt.Printf("%d kills, %d operations answered, %d without an answer, %d events watched, 0 lost, 0 violations, %s\n",
		kills, acknowledged, unknown, events, time.Since(began).Round(time.Second))
	return nil
}
