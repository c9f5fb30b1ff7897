package admin

import (
	"feedgate/gateway"
	"feedgate/worker/histogram"
)

// family is a metric: what /metrics and /stats report under one name. T is what it is read from.
type family[T any] struct {
	name, help string
	kind       kind
	labels     []string // besides upstream or sink
	read       func(of T, emit emit)
}

// emit takes one value of a family, a uint64, a float64 or a [histogram.Snapshot], and its labels.
type emit func(value any, labels ...string)

type kind uint8

const (
	counter kind = iota
	gauge
	histo
)

// number is a family with one number.
func number[T any](name, help string, k kind, read func(T) uint64) family[T] {
	return family[T]{name, help, k, nil, func(of T, emit emit) { emit(read(of)) }}
}

// seconds is a family with one duration.
func seconds[T any](name, help string, k kind, read func(T) float64) family[T] {
	return family[T]{name, help, k, nil, func(of T, emit emit) { emit(read(of)) }}
}

// distribution is a family with one histogram.
func distribution[T any](name, help string, read func(T) histogram.Snapshot) family[T] {
	return family[T]{name, help, histo, nil, func(of T, emit emit) { emit(read(of)) }}
}

// flag returns 1 for true.
func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// positive returns n, or 0 if it is negative.
func positive[N int | int64](n N) uint64 { return uint64(max(n, 0)) }

type stats = *gateway.Stats
