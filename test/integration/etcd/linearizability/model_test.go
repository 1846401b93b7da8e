package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// record is a history of operations one after the other, each with the answer that a client got.
func record(steps ...porcupine.Operation) *history {
	h := &history{}
	for i, step := range steps {
		step.Call, step.Return = int64(10*i), int64(10*i+5)
		h.operations = append(h.operations, step)
	}
	return h
}

func step(in input, out output) porcupine.Operation {
	return porcupine.Operation{Input: in, Output: out}
}

func verdict(t *testing.T, h *history, after state) error {
	t.Helper()
	return check(state{revision: 1}, h, after, filepath.Join(t.TempDir(), "violation.html"))
}

var firstPut = step(input{op: opPut, value: 7}, output{revision: 2})
var afterFirstPut = state{revision: 2, keys: [keyCount]pair{{value: 7, mod: 2, create: 2, version: 1}}}

func TestAnHonestHistoryPasses(t *testing.T) {
	read := step(input{op: opGet}, output{revision: 2, got: afterFirstPut.keys[0]})
	if err := verdict(t, record(firstPut, read), afterFirstPut); err != nil {
		t.Fatal(err)
	}
}

func TestALostAcknowledgedWriteIsFound(t *testing.T) {
	if verdict(t, record(firstPut), state{revision: 1}) == nil {
		t.Fatal("the write is gone, and nobody noticed")
	}
}

func TestAStaleReadIsFound(t *testing.T) {
	stale := step(input{op: opGet}, output{revision: 1})
	if verdict(t, record(firstPut, stale), afterFirstPut) == nil {
		t.Fatal("the read is from before the write, and nobody noticed")
	}
}

func TestARevisionGivenTwiceIsFound(t *testing.T) {
	again := step(input{op: opPut, key: 1, value: 8}, output{revision: 2})
	if verdict(t, record(firstPut, again), afterFirstPut) == nil {
		t.Fatal("two writes have one revision, and nobody noticed")
	}
}

func TestAWriteWithoutAnAnswerMayHaveHappenedOrNot(t *testing.T) {
	for _, after := range []state{{revision: 1}, afterFirstPut} {
		h := &history{}
		h.add(0, input{op: opPut, value: 7}, time.Unix(0, 1), output{isUnknown: true})
		if err := verdict(t, h, after); err != nil {
			t.Fatal(err)
		}
	}
}
