package view

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"feedgate/worker/histogram"
)

// New compares two snapshots. Without an earlier one, before is nil, and rates are not known. A counter
// that has decreased began at 0 since then, as did those of an upstream that is new.
func New(before, now *Snapshot) *View {
	over := math.NaN()
	if before != nil && now.at.After(before.at) {
		over = now.at.Sub(before.at).Seconds()
	} else {
		before = nil
	}
	v := &View{
		At: now.at, Over: Seconds(over), Version: now.version, Missing: now.missing, LogDropped: Count(now.dropped),
	}
	var latency histogram.Snapshot
	acked := 0.0
	for _, label := range slices.SortedFunc(maps.Keys(now.upstreams), byNumber) {
		u := now.upstreams[label]
		then := u
		if before != nil {
			then = before.upstreams[label]
		}
		row := u.since(then, over)
		row.Label = label
		v.Upstreams = append(v.Upstreams, row)
		v.Incoming, v.Acked, v.Bytes = v.Incoming+row.Incoming, v.Acked+row.Acked, v.Bytes+row.Bytes
		v.InFlight = Gauge{v.InFlight.Now + row.InFlight.Now, v.InFlight.Limit + row.InFlight.Limit}
		v.Oldest = max(v.Oldest, row.Oldest)
		if recent := between(then.latency, u.latency); len(recent.Bounds) == len(latency.Bounds) || latency.Bounds == nil {
			latency = latency.Plus(recent)
		}
		acked += u.acks["0"]
	}
	v.P50, v.P99 = quantile(latency, 0.5), quantile(latency, 0.99)
	v.Groups = groups(v.Upstreams)
	for i, s := range now.sinks {
		then := s
		if before != nil {
			then = sink{}
			if i < len(before.sinks) && before.sinks[i].name == s.name {
				then = before.sinks[i]
			}
		}
		v.Sinks = append(v.Sinks, s.since(then, over, acked > 0))
	}
	return v
}

// since returns what is shown of u after over seconds, at whose beginning it was then.
func (u *upstream) since(then upstream, over float64) Upstream {
	if u.messages < then.messages || u.bytes < then.bytes || u.latency.Count < then.latency.Count {
		then = upstream{} // another process, or another gateway of this label
	}
	row := Upstream{
		Level: u.level(), WaitsFor: u.waitsFor, Waiting: u.words, Stalled: u.stalled,
		Incoming: rate(then.messages, u.messages, over), Bytes: rate(then.bytes, u.bytes, over),
		Acked:    rate(sum(then.acks), sum(u.acks), over),
		InFlight: u.inFlight, Oldest: Age(u.oldest), Memory: u.memory, UnsentAcks: u.unsentAcks,
		Rings: u.rings, RingLimit: Count(u.ringLimit),
	}
	if refused := rate(then.events[refusals], u.events[refusals], over); refused > row.Incoming/refusingShare {
		row.Refusing = refused
		if row.Level == Well {
			row.Level = Busy
		}
	}
	latency, handler := between(then.latency, u.latency), between(then.handler, u.handler)
	row.P50, row.P99 = quantile(latency, 0.5), quantile(latency, 0.99)
	row.HandlerP50, row.HandlerP99 = quantile(handler, 0.5), quantile(handler, 0.99)
	for _, why := range slices.Sorted(maps.Keys(u.stopped)) {
		if share := growth(then.stopped[why], u.stopped[why]) / over; share > 0 {
			row.Stopped = append(row.Stopped, Stopped{why, Share(min(share, 1))})
		}
	}
	slices.SortStableFunc(row.Stopped, func(a, b Stopped) int { return cmp.Compare(b.Share, a.Share) })
	for _, reason := range slices.Sorted(maps.Keys(u.errors)) {
		row.Errors = appendEvent(row.Errors, reason, then.errors[reason], u.errors[reason])
	}
	for _, code := range slices.Sorted(maps.Keys(u.acks)) {
		if code != "0" {
			row.Events = appendEvent(row.Events, "acks with code "+code, then.acks[code], u.acks[code])
		}
	}
	for i, e := range events {
		row.Events = appendEvent(row.Events, e.name, then.events[i], u.events[i])
	}
	return row
}

// refusingShare: from a hundredth of the messages on, refusals are shown, as by the alert FeedgateRefusing.
const refusingShare = 100

func (u *upstream) level() Level {
	switch {
	case !u.connected || u.stalled != "":
		return Fault
	case u.waitsFor == "upstream" || u.waitsFor == "":
		return Well
	}
	return Busy
}

func appendEvent(all []Event, name string, then, now float64) []Event {
	if now == 0 {
		return all
	}
	return append(all, Event{name, Count(now), Count(growth(then, now))})
}

// since returns what is shown of s. Some sinks measure nothing: if others have acknowledged messages, the
// rate of a sink that has counted none is not known.
func (s *sink) since(then sink, over float64, used bool) Sink {
	times, batches := between(then.times, s.times), between(then.batches, s.batches)
	row := Sink{
		Name: map[string]string{"sink": "Sink", "dead_letter": "Dead letters"}[s.name], Label: s.label, Ready: s.ready,
		Rate: rate(then.messages, s.messages, over), P50: quantile(times, 0.5), P99: quantile(times, 0.99),
		Batch: Rate(batches.Sum / float64(batches.Count)), Requests: Count(s.requests),
		Refused: Count(s.refused), Retries: Count(s.retries), Restarts: Count(s.restarted), Taken: Count(s.messages),
		RecentlyRefused: Count(growth(then.refused, s.refused)), RecentlyRetried: Count(growth(then.retries, s.retries)),
		RecentlyRestarted: Count(growth(then.restarted, s.restarted)),
	}
	if s.name == "sink" && used && s.messages+s.refused+float64(s.batches.Count) == 0 {
		row.Rate = Rate(math.NaN())
	}
	return row
}

// growth returns by how much a counter has grown.
func growth(then, now float64) float64 {
	if now < then {
		return now // it began at 0
	}
	return now - then
}

func rate(then, now, over float64) Rate { return Rate(growth(then, now) / over) }

func sum(of map[string]float64) (all float64) {
	for _, n := range of {
		all += n
	}
	return all
}

// between returns the observations since then.
func between(then, now histogram.Snapshot) histogram.Snapshot {
	if len(then.Bounds) != len(now.Bounds) || now.Count < then.Count {
		return now
	}
	for i, n := range then.Counts {
		if now.Counts[i] < n || now.Bounds[i] != then.Bounds[i] {
			return now
		}
	}
	d := now.Minus(then)
	for i := range d.Counts { // the counters were read one after the other
		if i > 0 {
			d.Counts[i] = max(d.Counts[i], d.Counts[i-1])
		}
		d.Count = max(d.Count, d.Counts[i])
	}
	return d
}

func quantile(of histogram.Snapshot, q float64) Seconds {
	if v, ok := of.Quantile(q); ok {
		return Seconds(v)
	}
	return Seconds(math.NaN())
}
