package admin

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/wire"
	"feedgate/worker/histogram"
)

// upstreamFamilies are the metrics of an upstream. docs/metrics.md explains each.
var upstreamFamilies = []family[stats]{
	number("feedgate_messages_total", "Messages handed to workers, excluding duplicates.", counter,
		func(s stats) uint64 { return s.Messages.Load() }),
	number("feedgate_read_bytes_total", "Bytes read from the upstream.", counter,
		func(s stats) uint64 { return s.ReadBytes.Load() }),
	{"feedgate_acks_total", "Acknowledgements, by code: 0 means success, others are reasons for a refusal.", counter,
		[]string{"code"}, readAcks},
	number("feedgate_refused_total", "Messages refused, by a handler or before they reached one.", counter,
		func(s stats) uint64 { return s.Refused.Load() }),
	number("feedgate_dead_letters_total", "Refused messages stored as dead letters.", counter,
		func(s stats) uint64 { return s.DeadLettered.Load() }),
	number("feedgate_retries_total", "Times that a message was to be tried again.", counter, stats.Retries),
	number("feedgate_dropped_total", "Messages dropped unacknowledged in a drain, before a handler had them.", counter,
		func(s stats) uint64 { return s.Dropped.Load() }),
	number("feedgate_handler_panics_total", "Panics of handlers.", counter,
		func(s stats) uint64 { return s.Panics.Load() }),
	number("feedgate_in_flight", "Span from the oldest unacknowledged message to the newest read.", gauge,
		func(s stats) uint64 { return positive(s.InFlight.Load()) }),
	number("feedgate_in_flight_limit", "Limit of feedgate_in_flight; at it, reading stops.", gauge,
		func(s stats) uint64 { return positive(s.Limits().InFlight) }),
	seconds("feedgate_oldest_unacked_seconds", "Age of the oldest unacknowledged message; 0 if there is none.", gauge,
		func(s stats) float64 { return s.OldestUnacked().Seconds() }),
	number("feedgate_memory_bytes", "Read buffers and what else counts towards --memory.", gauge,
		func(s stats) uint64 { return positive(s.MemoryBytes()) }),
	number("feedgate_memory_limit_bytes", "Limit of feedgate_memory_bytes; at it, reading stops.", gauge,
		func(s stats) uint64 { return positive(s.Limits().Memory) }),
	number("feedgate_unsent_ack_bytes", "Bytes of acknowledgements that the server has not taken.", gauge,
		func(s stats) uint64 { return positive(s.UnsentAckBytes()) }),
	number("feedgate_unsent_ack_limit_bytes", "Unsent bytes, besides those in the kernel, at which reading stops.", gauge,
		func(s stats) uint64 { return positive(s.Limits().UnsentAckBytes) }),
	number("feedgate_ack_watermark", "Last sequence number up to which all messages are acknowledged.", gauge,
		func(s stats) uint64 { return s.Watermark.Load() }),
	number("feedgate_duplicates_total", "Redelivered messages acknowledged again without being processed again.", counter,
		func(s stats) uint64 { return s.Duplicates.Load() }),
	number("feedgate_gaps_total", "Jumps in the upstream's sequence numbers.", counter,
		func(s stats) uint64 { return s.Gaps.Load() }),
	number("feedgate_reconnects_total", "Reconnects after a connection was lost or ended.", counter,
		func(s stats) uint64 { return s.Reconnects.Load() }),
	number("feedgate_connected", "1 while logged in to the upstream, else 0.", gauge,
		func(s stats) uint64 { return flag(s.Connected.Load()) }),
	number("feedgate_reads_total", "System calls that read from the upstream.", counter,
		func(s stats) uint64 { return s.Reads.Load() }),
	number("feedgate_flushes_total", "System calls that wrote to the upstream.", counter,
		func(s stats) uint64 { return s.Flushes.Load() }),
	number("feedgate_wakeups_total", "Wake-ups of the loop by workers.", counter,
		func(s stats) uint64 { return s.Wakeups.Load() }),
	number("feedgate_workers", "Number of workers.", gauge,
		func(s stats) uint64 { return positive(s.Limits().Workers) }),
	{"feedgate_ring_depth", "Entries in a worker's rings: in to the worker, out back from it.", gauge,
		[]string{"worker", "ring"}, readRings},
	number("feedgate_ring_limit", "Entries of each ring; when the rings to the workers are full, reading stops.", gauge,
		func(s stats) uint64 { return positive(s.Limits().Ring) }),
	{"feedgate_stopped_seconds_total", "How long reading was stopped, by cause.", counter,
		[]string{"why"}, func(s stats, emit emit) {
			s.StoppedTime(func(why string, d time.Duration) { emit(d.Seconds(), why) })
		}},
	{"feedgate_waiting_for", "1 for what the gateway waits for now, 0 for everything else.", gauge,
		[]string{"for"}, readWaiting},
	distribution("feedgate_ack_latency_seconds", "Time from read to ack sent, one observation per read batch.",
		func(s stats) histogram.Snapshot { return s.Latency.Snapshot() }),
	distribution("feedgate_handler_seconds", "Time of a handler's call.", stats.HandlerSeconds),
	{"feedgate_protocol_errors_total", "Faults of the upstream, by reason.", counter,
		[]string{"reason"}, readErrors},
}

func readAcks(s stats, emit emit) {
	acks := map[uint16]uint64{0: 0}
	s.Acks(func(code uint16, n uint64) { acks[code] = n })
	for _, code := range slices.Sorted(maps.Keys(acks)) {
		emit(acks[code], strconv.Itoa(int(code)))
	}
}

func readRings(s stats, emit emit) {
	s.RingDepths(func(worker int, ring string, depth int) {
		emit(positive(depth), strconv.Itoa(worker), ring)
	})
}

func readWaiting(s stats, emit emit) {
	now := s.Waiting().For
	for _, w := range gateway.AllWaitingFor() {
		emit(flag(w == now), string(w))
	}
}

// readErrors emits every reason from the start, so that rates are right from the first error on.
func readErrors(s stats, emit emit) {
	all := make(map[string]uint64)
	for _, reason := range wire.Reasons() {
		all[reason] = 0
	}
	s.Errors(func(reason string, n uint64) { all[reason] = n })
	for _, reason := range slices.Sorted(maps.Keys(all)) {
		emit(all[reason], reason)
	}
}
