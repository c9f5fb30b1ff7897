// Package view is what "feedgate top" and the page at the admin address show: the answers of /stats, taken
// at two times, as rates, shares and quantiles of the time between them.
package view

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"feedgate/worker/histogram"
)

// Snapshot is the answer of /stats at one time. Its texts have no control characters.
type Snapshot struct {
	at        time.Time
	version   string
	missing   []string // what keeps the process from being ready
	dropped   float64  // lines of the log
	upstreams map[string]upstream
	sinks     []sink
}

// upstream has the metrics of an upstream. Counters are float64, as JSON has them.
type upstream struct {
	connected        bool
	waitsFor, words  string
	stalled          string
	messages, bytes  float64
	acks             map[string]float64 // by code
	inFlight         Gauge
	oldest           float64 // seconds
	memory           Gauge
	unsentAcks       float64 // bytes; its limit is that of a part of them
	latency, handler histogram.Snapshot
	ringLimit        float64
	rings            []Ring
	stopped          map[string]float64 // seconds, by cause
	errors           map[string]float64 // by reason
	events           [len(events)]float64
}

// refusals is the index of the refused messages in events.
const refusals = 0

// events are counters that are shown if they are not 0.
var events = [...]struct{ metric, name string }{
	refusals: {"feedgate_refused_total", "refused"},
	{"feedgate_dead_letters_total", "dead letters"},
	{"feedgate_retries_total", "retries"},
	{"feedgate_dropped_total", "dropped"},
	{"feedgate_handler_panics_total", "handler panics"},
	{"feedgate_duplicates_total", "duplicates"},
	{"feedgate_gaps_total", "gaps"},
	{"feedgate_reconnects_total", "reconnects"},
}

// sink has the metrics of a sink.
type sink struct {
	name, label                 string
	ready                       bool
	messages, requests          float64
	refused, retries, restarted float64
	times, batches              histogram.Snapshot
}

// FromStats reads the answer of /stats, as encoding/json decodes it into a map, taken at that time. What
// is missing or of another type counts as zero: the answer may come from another version, or from
// another program.
func FromStats(stats map[string]any, at time.Time) *Snapshot {
	doc := object(stats)
	process := doc.object("process")
	s := &Snapshot{
		at: at, version: firstKey(process.object("feedgate_build_info")),
		dropped: process.number("feedgate_log_dropped_total"), missing: []string{"it does not report whether it is ready"},
		upstreams: make(map[string]upstream),
	}
	if _, reported := doc["not_ready"]; reported {
		s.missing = doc.texts("not_ready")
	}
	for label, of := range doc.object("upstreams") {
		u, _ := of.(map[string]any)
		s.upstreams[Clean(label)] = readUpstream(u)
	}
	for _, name := range []string{"sink", "dead_letter"} {
		if of := doc.object(name); of != nil {
			s.sinks = append(s.sinks, readSink(name, of))
		}
	}
	return s
}

func readUpstream(o object) upstream {
	u := upstream{
		connected: o.number("feedgate_connected") > 0,
		words:     o.text("waiting_for"), stalled: o.text("stalled"),
		messages: o.number("feedgate_messages_total"), bytes: o.number("feedgate_read_bytes_total"),
		acks:       o.numbers("feedgate_acks_total"),
		inFlight:   Gauge{o.number("feedgate_in_flight"), o.number("feedgate_in_flight_limit")},
		oldest:     o.number("feedgate_oldest_unacked_seconds"),
		memory:     Gauge{o.number("feedgate_memory_bytes"), o.number("feedgate_memory_limit_bytes")},
		unsentAcks: o.number("feedgate_unsent_ack_bytes"),
		latency:    o.histogram("feedgate_ack_latency_seconds"), handler: o.histogram("feedgate_handler_seconds"),
		ringLimit: o.number("feedgate_ring_limit"),
		rings:     readRings(o.object("feedgate_ring_depth")),
		stopped:   o.numbers("feedgate_stopped_seconds_total"), errors: o.numbers("feedgate_protocol_errors_total"),
	}
	waiting := o.numbers("feedgate_waiting_for")
	for _, what := range slices.Sorted(maps.Keys(waiting)) {
		if waiting[what] > 0 {
			u.waitsFor = what
		}
	}
	for i, e := range events {
		u.events[i] = o.number(e.metric)
	}
	return u
}

// readRings returns the rings in the order of their workers.
func readRings(o object) (rings []Ring) {
	for name := range o {
		if worker, err := strconv.ParseUint(name, 10, 32); err == nil {
			of := o.object(name)
			rings = append(rings, Ring{int(worker), of.number("in"), of.number("out")})
		}
	}
	slices.SortFunc(rings, func(a, b Ring) int { return cmp.Compare(a.Worker, b.Worker) })
	return rings
}

func readSink(name string, o object) sink {
	return sink{
		name: name, label: o.text("label"), ready: o.number("feedgate_sink_ready") > 0,
		messages: o.number("feedgate_sink_messages_total"), requests: o.number("feedgate_sink_requests"),
		refused: o.number("feedgate_sink_refused_total"), retries: o.number("feedgate_sink_retries_total"),
		restarted: o.number("feedgate_child_restarts_total"),
		times:     o.histogram("feedgate_sink_seconds"), batches: o.histogram("feedgate_sink_batch_messages"),
	}
}
