package gateway

import (
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/worker"
)

// collectReplies moves replies from the workers' rings to the tracker.
func (l *loop) collectReplies(now time.Duration) bool {
	if l.events.Pending() == 0 {
		return false
	}
	taken := 0
	for i, w := range l.workers {
		n := 0
		for l.out.Len() < maxUnsent {
			record := w.Out().Next()
			if record == nil {
				break
			}
			n++
			if r := w.Reply(record); r.Count > 0 {
				l.outstanding[i] -= int(r.Count)
				l.stall.progress(l, now)
				l.markReply(r, now)
			}
		}
		if n > 0 {
			w.ReleaseReplies()
			taken += n
			l.countExternal()
		}
	}
	if taken > 0 {
		l.track.EmitDone()
		l.events.Sub(taken)
	}
	return taken > 0
}

// markReply records the outcome of the messages of a reply.
func (l *loop) markReply(r pool.Reply, now time.Duration) {
	if r.Code == worker.OK && len(r.Bits) > 0 {
		l.track.DoneSet(r.Slot, r.Bits, int(r.Count), now)
		return
	}
	for slot, n := range r.Slots {
		l.markDone(slot, n, r.Code, r.Ack, now)
	}
}

// markDone records the outcome of n messages. slot is the low half of the first slot; ack is the
// rendered ack, valid until markDone returns.
func (l *loop) markDone(slot uint32, n int, code worker.Code, ack []byte, now time.Duration) {
	switch code {
	case worker.OK:
	case pool.Returned:
		// A drain took them back from a worker before its handler had them. The peer will give them
		// to another client once the connection ends.
		l.stats.Dropped.Add(uint64(n))
		l.stats.returned.Add(uint64(n))
	case worker.DeadLettered:
		l.stats.DeadLettered.Add(uint64(n))
		l.refused.add(code, n)
	default:
		l.stats.Refused.Add(uint64(n))
		if code != worker.TooLarge || l.set.codec.Joins { // else it is logged as skipped
			l.refused.add(code, n)
		}
	}
	l.track.Done(slot, n, code, ack, now)
}
