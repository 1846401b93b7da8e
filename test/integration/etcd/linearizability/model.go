package main

import "github.com/anishathalye/porcupine"

// keyCount keys are few, so that clients meet.
const keyCount = 5

// pair is one key; a key that does not exist is the zero value.
type pair struct {
	value   int64
	mod     int64
	create  int64
	version int64
}

// state is everything a client can know of the store; comparable, as porcupine wants it.
type state struct {
	revision int64
	keys     [keyCount]pair
}

type operation int

const (
	opPut operation = iota
	opGet
	opCompareAndSwap
	opDelete
	opPutTwo
	opList
)

var operationNames = [...]string{"put", "get", "compare-and-swap", "delete", "put-two", "list"}

type input struct {
	op       operation
	key      int
	other    int
	value    int64
	expected int64 // the mod revision a compare-and-swap asks for
}

type output struct {
	isUnknown bool // no answer: it happened, or it will never have happened
	revision  int64
	succeeded bool
	got       pair
	all       [keyCount]pair
}

func (s state) put(key int, value int64) state {
	before := s.keys[key]
	create := before.create
	if before.version == 0 {
		create = s.revision
	}
	s.keys[key] = pair{value: value, mod: s.revision, create: create, version: before.version + 1}
	return s
}

func (s state) next() state {
	s.revision++
	return s
}

// apply carries out one operation and says what its answer has to be.
func apply(s state, in input) (state, output) {
	switch in.op {
	case opPut:
		s = s.next().put(in.key, in.value)
	case opPutTwo:
		s = s.next().put(in.key, in.value).put(in.other, in.value)
	case opDelete:
		if s.keys[in.key].version == 0 {
			return s, output{revision: s.revision}
		}
		s = s.next()
		s.keys[in.key] = pair{}
		return s, output{revision: s.revision, succeeded: true}
	case opCompareAndSwap:
		if s.keys[in.key].mod != in.expected {
			return s, output{revision: s.revision, got: s.keys[in.key]}
		}
		s = s.next().put(in.key, in.value)
		return s, output{revision: s.revision, succeeded: true}
	case opGet:
		return s, output{revision: s.revision, got: s.keys[in.key]}
	case opList:
		return s, output{revision: s.revision, all: s.keys}
	}
	return s, output{revision: s.revision}
}

// modelFrom is the store as etcd promises it, with `initial` as its state when the history begins.
func modelFrom(initial state) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(before, in, out any) (bool, any) {
			after, wanted := apply(before.(state), in.(input))
			answer := out.(output)
			return answer.isUnknown || answer == wanted, after
		},
		DescribeOperation: func(in, out any) string { return describe(in.(input), out.(output)) },
	}
}
