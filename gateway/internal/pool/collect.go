package pool

import (
	"math"
	"time"
)

const (
	// collectMin limits a batch of several runs, in messages, while batches are fast (see
	// length.slow). A longer batch of one run costs less: its messages need not be made before
	// the call.
	collectMin = 64
	// collectWorth is how long a call of the handler must take for collecting runs, which takes
	// far less, to pay.
	collectWorth = 2 * time.Microsecond
)

// handleNew gives the handler new messages, up to a batch.
func (w *Worker) handleNew() bool {
	limit := min(w.length.limit(), w.newLimit())
	if limit == 0 {
		return false // until pending messages are resolved
	}
	first, n := w.collect(limit)
	if n == 0 {
		return false
	}
	start := w.now()
	w.pace.begin(start)
	w.progress.begin(start, w.target(limit))
	calls := 0
	for {
		calls++
		if w.retry != nil {
			w.retry.handleNew(first, w.rest, n)
		} else {
			w.main.handle(first, w.rest...)
		}
		if n >= limit || w.stopping() {
			break
		}
		var more int
		if first, more = w.collect(min(limit-n, w.newLimit())); more == 0 {
			break
		}
		n += more
	}
	w.mustPublish = true
	end := w.now()
	w.progress.end(end)
	took := end - start
	w.costly = took >= time.Duration(calls)*collectWorth
	w.observeCalls(took, calls, n)
	w.length.note(n, took, w.target(n))
	return true
}

// observeCalls counts calls of the handler that took some time in all, with n messages. If it takes
// messages one at a time, each is a call.
func (w *Worker) observeCalls(took time.Duration, calls, n int) {
	if w.main.completer.observed {
		return
	}
	if w.length.single {
		calls = n
	}
	w.callTimes.Observe(took/time.Duration(calls), calls)
}

// target returns how long a batch of n messages is to take.
func (w *Worker) target(n int) time.Duration {
	if w.in.Len() > 4*n {
		return behindTime
	}
	return batchTime
}

// collect takes the next messages for one call of the handler, n in all and at most limit: from the
// first run and, if the handler takes batches and its calls take long, from the runs after it,
// which are then in w.rest.
func (w *Worker) collect(limit int) (first run, n int) {
	w.rest = w.rest[:0]
	size := w.batchBytes()
	first = w.next(limit, &size, 1)
	n = len(first.spans)
	if n == 0 || w.length.single || !w.costly {
		return first, n
	}
	if !w.length.slow {
		limit = min(limit, collectMin)
	}
	for n < limit {
		r := w.next(limit-n, &size, 0)
		if len(r.spans) == 0 {
			break
		}
		w.rest = append(w.rest, r)
		n += len(r.spans)
	}
	return first, n
}

// batchBytes returns the limit of a batch in bytes. Messages that --output renders must fit one
// chunk, because the limit of rendered data is checked only once per call.
func (w *Worker) batchBytes() int {
	if t := w.main.rendered; t != nil {
		return t.size
	}
	return math.MaxInt
}

// next takes the next messages for the handler, at most limit and of one run. If --output renders
// them, they have up to size bytes in all, unless these are fewer than least messages; next
// subtracts their bytes from size.
func (w *Worker) next(limit int, size *int, least int) run {
	if w.main.rendered != nil {
		limit = w.in.fit(limit, size, least)
	}
	if limit == 0 {
		return run{}
	}
	return w.in.next(limit)
}
