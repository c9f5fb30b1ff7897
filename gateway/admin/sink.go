package admin

import (
	"feedgate/worker/histogram"
	"feedgate/worker/sink"
)

// Sink is a sink to be reported.
type Sink struct {
	// Name is "sink" or "dead_letter". It is the sink's key in /stats and its label in /metrics.
	Name  string
	Label string // its URL without secrets
	Stats *sink.Stats
	// Ready is that of the sink.
	Ready func() error
}

// sinkFamilies are the metrics of a sink. docs/metrics.md explains each.
var sinkFamilies = []family[Sink]{
	number("feedgate_sink_ready", "1 while the sink can take messages, else 0.", gauge,
		func(s Sink) uint64 { return flag(s.Ready() == nil) }),
	number("feedgate_sink_messages_total", "Messages that the sink has taken for good.", counter,
		func(s Sink) uint64 { return s.Stats.Taken() }),
	number("feedgate_sink_refused_total", "Messages that the sink or its server has refused.", counter,
		func(s Sink) uint64 { return s.Stats.Refused.Load() }),
	number("feedgate_sink_retries_total", "Requests that had to be repeated.", counter,
		func(s Sink) uint64 { return s.Stats.Retries.Load() }),
	number("feedgate_sink_requests", "Requests in progress.", gauge,
		func(s Sink) uint64 { return positive(s.Stats.InProgress.Load()) }),
	distribution("feedgate_sink_seconds", "Time of a request to a server, or of a write with its fsync.",
		func(s Sink) histogram.Snapshot { return s.Stats.Seconds.Snapshot() }),
	distribution("feedgate_sink_batch_messages", "Messages of a request.",
		func(s Sink) histogram.Snapshot { return s.Stats.Batches.Snapshot() }),
	number("feedgate_child_restarts_total", "Child processes of exec: that were started again.", counter,
		func(s Sink) uint64 { return s.Stats.Restarts.Load() }),
}
