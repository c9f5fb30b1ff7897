package feedserver

import (
	"sort"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// minLatency and maxLatency are the range of the histogram. Longer latencies count as maxLatency.
	minLatency = 100 * time.Nanosecond
	maxLatency = time.Hour
	// latencyDigits are the histogram's significant decimal digits.
	latencyDigits = 3
	// dueStep is the longest interval of due times that are recorded as one latency.
	dueStep = 2 * time.Microsecond
)

// latency measures the time from sending a message to its ack. Without a rate, each batch gets a stamp,
// as does each resend. With a rate, the time counts from when the message was due, even if it was
// resent on another connection. Memory is proportional to the number of unacknowledged batches.
type latency struct {
	hist *hdrhistogram.Histogram // in nanoseconds; nil before the first ack

	// With a rate:
	epoch  time.Duration // when message 1 was due
	period float64       // nanoseconds between messages; 0: no rate

	// Without a rate: stamps[head:] are the stamps of the connection's unacknowledged batches, by
	// number. current is the index of the last ack's stamp.
	stamps        []stamp
	head, current int
	unrecorded    uint64 // acks of the stamp current that are not recorded yet
}

// stamp is the sending time of the messages from first to the one before the next stamp.
type stamp struct {
	first uint64
	at    time.Duration
}

// due returns when message seq is due.
func (t *latency) due(seq uint64) time.Duration {
	return t.epoch + time.Duration(float64(seq-1)*t.period)
}

// dueBy returns the last message that is due at now.
func (t *latency) dueBy(now time.Duration) uint64 {
	return uint64(float64(now-t.epoch)/t.period) + 1
}

// reconnect drops the stamps of an earlier connection.
func (t *latency) reconnect() {
	t.stamps, t.head, t.current, t.unrecorded = t.stamps[:0], 0, 0, 0
}

// sent stamps the messages from first on.
func (t *latency) sent(first uint64, now time.Duration) {
	if t.period == 0 {
		t.stamps = append(t.stamps, stamp{first, now})
	}
}

// acked adds the acks of n messages from seq on, which arrived at now.
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
		t.unrecorded += k
		seq, n = seq+k, n-k
	}
}

// find makes the stamp of seq current and returns the first number of the next stamp.
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

// flush records the unrecorded acks, which arrived at now.
func (t *latency) flush(now time.Duration) {
	if t.unrecorded > 0 {
		t.record(now-t.stamps[t.current].at, t.unrecorded)
		t.unrecorded = 0
	}
}

// forget drops the stamps of messages below base. flush must have been called.
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

// record records n latencies of d.
func (t *latency) record(d time.Duration, n uint64) {
	if t.hist == nil {
		t.hist = newHistogram()
	}
	// The only error is a value outside of its range.
	_ = t.hist.RecordValues(int64(min(max(d, 0), maxLatency)), int64(n))
}

// newHistogram returns an empty histogram of nanoseconds.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(minLatency), int64(maxLatency), latencyDigits)
}
