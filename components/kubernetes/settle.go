package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// startTime is how long a start takes at most, in which memory is allocated
// fast and for a moment only.
const startTime = 15 * time.Second

// settleAfterStart lets the collector be lazy while the program starts, as
// GOGC says, and thrifty from then on, as KAGENT_SETTLED_GOGC says (both are
// percentages). What the start has left behind goes back to the system.
func settleAfterStart() {
	percent, err := strconv.Atoi(os.Getenv("KAGENT_SETTLED_GOGC"))
	if err != nil {
		return
	}
	time.AfterFunc(startTime, func() {
		debug.SetGCPercent(percent)
		debug.FreeOSMemory()
	})
}
