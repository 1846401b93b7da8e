package main

import (
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTimeout is far more than a round of some hundred milliseconds needs.
const checkTimeout = time.Minute

// history is what the clients of one round asked, and what they were answered.
type history struct {
	mutex      sync.Mutex
	operations []porcupine.Operation
}

func (h *history) add(client int, in input, called time.Time, out output) {
	returned := time.Now().UnixNano()
	if out.isUnknown {
		returned = math.MaxInt64 // it may take its place at any time, even after everything else: then it never happened
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.operations = append(h.operations, porcupine.Operation{
		ClientId: client, Input: in, Call: called.UnixNano(), Output: out, Return: returned,
	})
}

func (h *history) unknown() int {
	count := 0
	for _, operation := range h.operations {
		if operation.Output.(output).isUnknown {
			count++
		}
	}
	return count
}

func (h *history) acknowledged() int {
	return len(h.operations) - h.unknown()
}

// check holds a round against the model: it began with `before`, and when everything was quiet again `after` was read.
func check(before state, h *history, after state, report string) error {
	now := time.Now().UnixNano()
	last := porcupine.Operation{
		ClientId: 1000, Input: input{op: opList}, Call: now, Return: now + 1,
		Output: output{revision: after.revision, all: after.keys},
	}
	model := modelFrom(before)
	result, info := porcupine.CheckOperationsVerbose(model, append(h.operations, last), checkTimeout)
	if result == porcupine.Ok {
		return nil
	}
	file, err := os.Create(report)
	if err == nil {
		err = porcupine.Visualize(model, info, file)
		_ = file.Close()
	}
	return fmt.Errorf("%d operations are not linearizable (%s), drawn in %s (%v)", len(h.operations), result, report, err)
}

func describe(in input, out output) string {
	asked := fmt.Sprintf("%s %d", operationNames[in.op], in.key)
	if in.op == opPutTwo {
		asked += fmt.Sprintf("+%d", in.other)
	}
	if in.value != 0 {
		asked += fmt.Sprintf("=%d", in.value)
	}
	if in.op == opCompareAndSwap {
		asked += fmt.Sprintf(" if mod=%d", in.expected)
	}
	if out.isUnknown {
		return asked + " → ?"
	}
	return fmt.Sprintf("%s → revision %d, %v, %v %v", asked, out.revision, out.succeeded, out.got, out.all)
}
