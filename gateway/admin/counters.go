package admin

import (
	"feedgate/gateway"
	"feedgate/gateway/wire"
)

// counter is a metric with one number per upstream.
type counter struct {
	name, help string
	gauge      bool // it can decrease
	read       func(*gateway.Stats) uint64
}

var counters = []counter{
	{
		name: "feedgate_messages_total",
		help: "Messages handed to workers, excluding duplicates.",
		read: func(s *gateway.Stats) uint64 { return s.Messages.Load() },
	},
	{
		name: "feedgate_read_bytes_total",
		help: "Bytes read from the upstream.",
		read: func(s *gateway.Stats) uint64 { return s.ReadBytes.Load() },
	},
	{
		name:  "feedgate_in_flight",
		help:  "Span from the oldest unacknowledged message to the newest read.",
		gauge: true,
		read:  func(s *gateway.Stats) uint64 { return uint64(max(s.InFlight.Load(), 0)) },
	},
	{
		name:  "feedgate_ack_watermark",
		help:  "Last sequence number up to which all messages are acknowledged.",
		gauge: true,
		read:  func(s *gateway.Stats) uint64 { return s.Watermark.Load() },
	},
	{
		name: "feedgate_duplicates_total",
		help: "Redelivered messages acknowledged again without being processed again.",
		read: func(s *gateway.Stats) uint64 { return s.Duplicates.Load() },
	},
	{
		name: "feedgate_gaps_total",
		help: "Jumps in the upstream's sequence numbers.",
		read: func(s *gateway.Stats) uint64 { return s.Gaps.Load() },
	},
	{
		name: "feedgate_reconnects_total",
		help: "Reconnects after a connection was lost or ended.",
		read: func(s *gateway.Stats) uint64 { return s.Reconnects.Load() },
	},
	{
		name:  "feedgate_connected",
		help:  "1 while logged in to the upstream, else 0.",
		gauge: true,
		read: func(s *gateway.Stats) uint64 {
			if s.Connected.Load() {
				return 1
			}
			return 0
		},
	},
	{
		name: "feedgate_reads_total",
		help: "System calls that read from the upstream.",
		read: func(s *gateway.Stats) uint64 { return s.Reads.Load() },
	},
	{
		name: "feedgate_flushes_total",
		help: "System calls that wrote to the upstream.",
		read: func(s *gateway.Stats) uint64 { return s.Flushes.Load() },
	},
	{
		name: "feedgate_wakeups_total",
		help: "Wake-ups of the loop by workers.",
		read: func(s *gateway.Stats) uint64 { return s.Wakeups.Load() },
	},
}

// Metrics of an upstream that are more than one number.
const (
	acksName    = "feedgate_acks_total"
	acksHelp    = "Acknowledgements sent, by code: 0 means success, others are reasons for a refusal."
	ringName    = "feedgate_ring_depth"
	ringHelp    = "Entries in a worker's rings: in to the worker, out back from it."
	latencyName = "feedgate_ack_latency_seconds"
	latencyHelp = "Time from read to ack sent, one observation per read batch."
	errorsName  = "feedgate_protocol_errors_total"
	errorsHelp  = "Faults of the upstream, by reason."
)

// snapshot is one upstream's counters at roughly one time: they are read one after the other
// while the gateway continues.
type snapshot struct {
	values  []uint64 // in the order of the list counters
	acks    map[uint16]uint64
	errors  map[string]uint64
	rings   []ringDepth
	latency latency
}

type ringDepth struct {
	worker int
	ring   string
	depth  int
}

// latency is a histogram. buckets counts cumulatively up to each bound, in seconds.
type latency struct {
	count   uint64
	sum     float64
	buckets map[float64]uint64
}

func read(stats *gateway.Stats) snapshot {
	s := snapshot{
		values: make([]uint64, len(counters)),
		acks:   map[uint16]uint64{0: 0},
		errors: make(map[string]uint64),
	}
	for i, c := range counters {
		s.values[i] = c.read(stats)
	}
	// Exported as 0 before the first of each, so that rates are right from the start.
	for _, reason := range wire.Reasons() {
		s.errors[reason] = 0
	}
	stats.Acks(func(code uint16, n uint64) { s.acks[code] = n })
	stats.Errors(func(reason string, n uint64) { s.errors[reason] = n })
	stats.RingDepths(func(worker int, ring string, depth int) {
		s.rings = append(s.rings, ringDepth{worker, ring, depth})
	})
	s.latency.count, s.latency.sum, s.latency.buckets = stats.Latency.Snapshot()
	return s
}
