package feedserver

import (
	"sort"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// minLatency and maxLatency bound what the histogram tells apart; longer ones
	// count as the longest.
	minLatency = 100 * time.Nanosecond
	maxLatency = time.Hour
	// latencyDigits are the histogram's significant decimal digits.
	latencyDigits = 3
	// dueStep is how far apart two due times may lie to be recorded as one.
	dueStep = 2 * time.Microsecond
)

// latency measures the time from sending to acknowledgement. Flat out, messages
// are stamped by the batch, and a resend is stamped anew. At a rate nothing is
// stamped: the time counts from when a message was due, also across
// connections. Memory is bounded by the unacknowledged batches.
type latency struct {
	hist *hdrhistogram.Histogram // in nanoseconds; nil before the first ack

	// At a rate.
	epoch  time.Duration // when message 1 was due
	period float64       // nanoseconds between messages; 0: flat out

	// Flat out: stamps[head:] are those of the connection's batches that are not
	// acknowledged yet, in the order of their numbers; current is the one of the
	// last ack, with run acks that are not recorded yet.
	stamps        []stamp
	head, current int
	run           uint64
}

// stamp is the sending time of the messages from first up to the next stamp.
type stamp struct {
	first uint64
	at    time.Duration
}

// due is when message seq is to be sent.
func (t *latency) due(seq uint64) time.Duration {
	return t.epoch + time.Duration(float64(seq-1)*t.period)
}

// dueBy is the last message that is due at now.
func (t *latency) dueBy(now time.Duration) uint64 {
	return uint64(float64(now-t.epoch)/t.period) + 1
}

// reconnect forgets the stamps of an earlier connection.
func (t *latency) reconnect() {
	t.stamps, t.head, t.current, t.run = t.stamps[:0], 0, 0, 0
}

// sent stamps the messages from first on.
func (t *latency) sent(first uint64, now time.Duration) {
	if t.period == 0 {
		t.stamps = append(t.stamps, stamp{first, now})
	}
}

// acked records n acks from seq on that arrived at now.
func (t *latency) acked(seq, n uint64, now time.Duration) {
	if t.period > 0 {
		for step := max(1, uint64(float64(dueStep)/t.period)); n > 0; {
			k := min(n, step)
			t.record(now-t.due(seq+k/2), k)
			seq, n = seq+k, n-k
		}
		return
	}
	for n > 0 {
		end := t.find(seq, now)
		k := min(n, end-seq)
		t.run += k
		seq, n = seq+k, n-k
	}
}

// find makes the stamp of seq the current one and returns the number behind it.
func (t *latency) find(seq uint64, now time.Duration) (end uint64) {
	i := t.current
	if t.stamps[i].first > seq || i+1 < len(t.stamps) && t.stamps[i+1].first <= seq {
		t.flush(now)
		live := t.stamps[t.head:]
		i = t.head + sort.Search(len(live), func(i int) bool { return live[i].first > seq }) - 1
		t.current = i
	}
	if i+1 < len(t.stamps) {
		return t.stamps[i+1].first
	}
	return ^uint64(0)
}

// flush records the acks that acked has gathered; now is when they arrived.
func (t *latency) flush(now time.Duration) {
	if t.run > 0 {
		t.record(now-t.stamps[t.current].at, t.run)
		t.run = 0
	}
}

// forget drops the stamps of messages below base. Nothing may be gathered.
func (t *latency) forget(base uint64) {
	for t.head+1 < len(t.stamps) && t.stamps[t.head+1].first <= base {
		t.head++
	}
	if t.head > 64 && t.head > len(t.stamps)/2 {
		t.stamps = t.stamps[:copy(t.stamps, t.stamps[t.head:])]
		t.current = max(t.current, t.head) - t.head
		t.head = 0
	}
	t.current = max(t.current, t.head)
}

func (t *latency) record(d time.Duration, n uint64) {
	if t.hist == nil {
		t.hist = newHistogram()
	}
	// It refuses nothing between 0 and its highest value.
	_ = t.hist.RecordValues(int64(min(max(d, 0), maxLatency)), int64(n))
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(minLatency), int64(maxLatency), latencyDigits)
}
