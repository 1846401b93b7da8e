package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTime is how long a start takes at most, in which memory is allocated
// fast and for a moment only.
const startTime = 15 * time.Second

// giveUpProgramPages unmaps the program's own file, as far as nothing was ever
// written there. A start runs through much of it once; what it has mapped
// counts as memory of the process until the kernel is short of it. Given up, it
// stays in the page cache, and what is used again is mapped again.
func giveUpProgramPages() {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range cleanMappings(string(smaps), path) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED)
	}
}

type mapping struct{ start, end uintptr }

// cleanMappings are those of a file that are mapped to be read or run and are
// as they are in the file.
func cleanMappings(smaps, path string) []mapping {
	var found []mapping
	var last *mapping
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" && last != nil {
			found = append(found, *last)
		}
		if start, end, ok := strings.Cut(fields[0], "-"); ok && len(fields) > 1 {
			last = nil
			from, errFrom := strconv.ParseUint(start, 16, 64)
			to, errTo := strconv.ParseUint(end, 16, 64)
			isRead := strings.HasPrefix(fields[1], "r-") && strings.HasSuffix(fields[1], "p")
			if errFrom == nil && errTo == nil && isRead && len(fields) > 5 && fields[5] == path {
				last = &mapping{uintptr(from), uintptr(to)}
			}
		}
	}
	return found
}
