package pool

import (
	"math"
	"time"
)

const (
	// gatherMin is up to how many messages runs are gathered for a batch that is fast (length.slow).
	// Longer runs cost less by themselves: their messages lie plainly in one slab.
	gatherMin = 64
	// gatherWorth is how long a call of the handler must take for gathering to pay, which takes
	// far less.
	gatherWorth = 2 * time.Microsecond
)

// takeNew runs new messages through the handler, up to a batch.
func (w *Worker) takeNew() bool {
	limit := min(w.length.limit(), w.room())
	if limit == 0 {
		return false // completions will make room
	}
	first, n := w.gather(limit)
	if n == 0 {
		return false
	}
	start := w.now()
	w.pace.begin(start)
	w.progress.begin(start, w.target(limit))
	calls := time.Duration(0)
	for {
		calls++
		if w.retry != nil {
			w.retry.admit(first, w.rest, n)
		} else {
			w.main.handle(first, w.rest...)
		}
		if n >= limit {
			break
		}
		var more int
		if first, more = w.gather(min(limit-n, w.room())); more == 0 {
			break
		}
		n += more
	}
	w.took = true
	end := w.now()
	w.progress.end(end)
	took := end - start
	w.costly = took >= calls*gatherWorth
	w.length.note(n, took, w.target(n))
	return true
}

// target is how long a batch of n messages is to take.
func (w *Worker) target(n int) time.Duration {
	if w.in.Len() > 4*n {
		return behindTime
	}
	return batchTime
}

// gather takes the next messages for one call of the handler, at most limit: of the first
// run, and, in rest, of those behind it, if the handler takes batches and its calls take long.
func (w *Worker) gather(limit int) (first run, n int) {
	w.rest = w.rest[:0]
	size := w.batchBytes()
	first = w.next(limit, &size, 1)
	n = len(first.spans)
	if n == 0 || w.length.single || !w.costly {
		return first, n
	}
	if !w.length.slow {
		limit = min(limit, gatherMin)
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

// batchBytes is how many bytes of messages a batch is to have: of those that --output renders,
// as many as fit one chunk, for room is asked for before each call only.
func (w *Worker) batchBytes() int {
	if t := w.main.rendered; t != nil {
		return t.size
	}
	return math.MaxInt
}

// next is the next messages for the handler, at most limit of one run. Of those that --output
// renders, they have up to size bytes, unless these are fewer than least messages.
func (w *Worker) next(limit int, size *int, least int) run {
	if w.main.rendered != nil {
		limit = w.in.fit(limit, size, least)
	}
	if limit == 0 {
		return run{}
	}
	return w.in.next(limit)
}
