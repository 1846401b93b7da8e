package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

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
		giveUpProgramPages()
	})
}
