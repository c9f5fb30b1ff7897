package nsq

import (
	"encoding/json"
	"slices"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// stats are the figures of the gateway's upstream from /stats.
type stats struct {
	Messages   uint64            `json:"feedgate_messages_total"`
	Acks       map[string]uint64 `json:"feedgate_acks_total"`
	Errors     map[string]uint64 `json:"feedgate_protocol_errors_total"`
	Reconnects uint64            `json:"feedgate_reconnects_total"`
	InFlight   int64             `json:"feedgate_in_flight"`
	Connected  int               `json:"feedgate_connected"`
}

// faults returns the number of protocol errors with other reasons than these.
func (s stats) faults(but ...string) (n uint64) {
	for reason, count := range s.Errors {
		if !slices.Contains(but, reason) {
			n += count
		}
	}
	return n
}

// stats reads /stats of a running gateway.
func (g *process) stats() stats {
	g.t.Helper()
	body, err := g.Get("/stats")
	if err != nil {
		g.t.Fatal(err)
	}
	var all struct {
		Upstreams map[string]stats `json:"upstreams"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		g.t.Fatalf("/stats: %v", err)
	}
	if len(all.Upstreams) != 1 {
		g.t.Fatalf("/stats has %d upstreams", len(all.Upstreams))
	}
	for _, s := range all.Upstreams {
		return s
	}
	panic("unreachable")
}

// until waits until done returns true for the statistics, and returns them.
func (g *process) until(what string, done func(stats) bool) (s stats) {
	g.t.Helper()
	testkit.Eventually(g.t, what, func() bool { s = g.stats(); return done(s) })
	return s
}
