package pool

import (
	"time"

	"feedgate/worker/selector"
)

// retrier holds one worker's messages that wait: for their next try, or, where order is by key,
// for a message of their key that came before. They stay in their slabs, whose references it
// keeps, so --memory bounds them. It is the worker's own.
//
// By key at most one message of a key is with the handler: only then can a
// message that fails still go before those that follow it.
//
// A message that waits for its next try costs 32 bytes here and some 12 in failed; one that waits for
// its key, 32 bytes. After their lists have grown it is up to twice as much. Each message in hand with
// a key costs up to 100 bytes.
type retrier struct {
	w    *Worker
	max  int             // tries after the first
	min  time.Duration   // wait before the second try; doubles
	key  *selector.Keyer // nil: order is not by key
	lazy bool            // only keys with a message that waits for its next try are in lanes and inHand
	tick *time.Timer

	failed map[uint32]int // by slot: tries of a message that have failed, if any
	due    dueHeap
	queues queues            // of lanes and ready
	lanes  map[uint64]queue  // by key: who waits behind a message in hand
	inHand map[uint32]uint64 // by slot: the key of a message in hand
	queued int               // messages in lanes
	ready  queue             // those that were at the head of their lane
	turns  int               // messages in ready

	// The batch that is being made.
	runs  []run
	spans []span // of runs of one message, which has waited; the others' lie in the ring
}

// maxRetryWait bounds the doubling.
const maxRetryWait = time.Hour

func newRetrier(w *Worker, cfg *Config) *retrier {
	r := &retrier{
		w: w, max: cfg.Retries, min: cfg.RetryMin, failed: make(map[uint32]int),
		lanes: make(map[uint64]queue), inHand: make(map[uint32]uint64),
	}
	if cfg.Key != nil {
		r.key = selector.NewKeyer(cfg.Key)
	}
	return r
}

// hash is the hash of the key of a run's i-th message. It is asked for once: the handler may
// have changed the data afterwards.
func (r *retrier) hash(all *run, i int) uint64 { return r.key.Hash(r.w.message(all, i)) }

// admit runs those of new messages through the handler that may go now, in one batch; the others
// wait. Those of them whose turn has come by then follow, up to limit in all.
func (r *retrier) admit(first run, rest []run, limit int) {
	if !r.sorts() {
		r.w.main.handle(first, rest...)
		return
	}
	r.sort(first)
	for _, next := range rest {
		r.sort(next)
	}
	for r.handle() && limit > 0 {
		limit -= r.takeReady(min(limit, r.w.retryRoom()))
	}
}

// sort adds those of a run to the batch whose key is not in hand; the others wait behind it.
func (r *retrier) sort(all run) {
	n := 0 // of those at the head of all that go into the batch
	for n < len(all.spans) {
		k := r.hash(&all, n)
		lane, busy := r.lanes[k]
		if !busy {
			if !r.lazy {
				r.enter(k, all.first.Slot+uint32(n))
			}
			n++
			continue
		}
		if n > 0 {
			r.runs = append(r.runs, all.cut(n))
			n = 0
		}
		r.wait(k, lane, all.cut(1))
	}
	if n > 0 {
		r.runs = append(r.runs, all)
	}
}

// sorts reports whether messages may have to wait for their key.
func (r *retrier) sorts() bool { return r.key != nil && (!r.lazy || len(r.lanes) > 0) }

// wait puts the one message of a run behind those that wait for its key.
func (r *retrier) wait(k uint64, lane queue, one run) {
	r.queues.push(&lane, one.at(0))
	r.lanes[k] = lane
	r.queued++
}

// waits puts the next message of a batch behind those that wait for its key, if there are any.
func (r *retrier) waits(b *batch) bool {
	if _, first := r.inHand[b.run.first.Slot]; first {
		return false // the others wait for this one
	}
	k := r.hash(&b.run, 0)
	lane, busy := r.lanes[k]
	if busy {
		r.wait(k, lane, b.skip())
	}
	return busy
}

// add adds a message that has waited to the batch.
func (r *retrier) add(d Desc) {
	r.spans = append(r.spans, Span(d.Off, d.Len))
	r.runs = append(r.runs, run{d, r.spans[len(r.spans)-1:]})
}

// handle runs the batch through the handler; false if there is none.
func (r *retrier) handle() bool {
	if len(r.runs) == 0 {
		return false
	}
	r.w.main.handle(r.runs[0], r.runs[1:]...)
	r.runs, r.spans = r.runs[:0], r.spans[:0]
	return true
}

// enter marks a key as in hand, with the message of a slot.
func (r *retrier) enter(k uint64, slot uint32) {
	r.lanes[k], r.inHand[slot] = queue{}, k
}

// again schedules another try of the one message of a run; false when it has had
// all of them.
func (r *retrier) again(one run) bool {
	tries := r.failed[one.first.Slot]
	if tries == r.max {
		return false
	}
	wait := min(r.min<<min(tries, 40), maxRetryWait)
	if wait < r.min {
		wait = maxRetryWait // shifted out
	}
	r.failed[one.first.Slot] = tries + 1
	r.after(one, wait)
	return true
}

// askedAgain schedules another try of the one message of a run, which the handler has asked for.
func (r *retrier) askedAgain(one run, wait time.Duration) {
	if _, entered := r.inHand[one.first.Slot]; r.key != nil && !entered {
		k := r.hash(&one, 0)
		if lane, busy := r.lanes[k]; busy {
			r.wait(k, lane, one)
			return
		}
		r.enter(k, one.first.Slot)
	}
	r.after(one, wait)
}

// after schedules another try of the one message of a run.
func (r *retrier) after(one run, wait time.Duration) {
	r.due.push(dueTry{one.at(0), r.w.now() + wait})
	r.arm()
}

// through forgets the tries of messages that are done, and lets the next one of a key go.
func (r *retrier) through(all run) {
	if len(r.inHand) == 0 && len(r.failed) == 0 {
		return
	}
	for i := range all.spans {
		slot := all.first.Slot + uint32(i)
		delete(r.failed, slot)
		if r.key != nil {
			r.letGo(slot)
		}
	}
}

// letGo makes the next message of a key ready, as the one of a slot is done.
func (r *retrier) letGo(slot uint32) {
	k, entered := r.inHand[slot]
	if !entered {
		return
	}
	delete(r.inHand, slot)
	lane := r.lanes[k]
	if lane.empty() {
		delete(r.lanes, k)
		return
	}
	next := r.queues.pop(&lane)
	r.queues.push(&r.ready, next)
	r.turns++
	r.lanes[k], r.inHand[next.Slot] = lane, k
	r.queued--
}

// turn runs messages whose time or turn has come through the handler, a batch of each.
func (r *retrier) turn() bool {
	if r.ready.empty() && !r.dueNow() {
		return false
	}
	r.w.progress.begin(r.w.now(), batchTime)
	r.takeReady(r.w.retryRoom())
	busy := r.handle()
	r.takeDue(r.w.retryRoom())
	busy = r.handle() || busy
	if busy {
		r.w.progress.end(r.w.now())
		r.arm()
	}
	return busy
}

// takeReady adds up to limit of the messages to the batch whose turn it is, and counts them.
func (r *retrier) takeReady(limit int) (n int) {
	for size := r.w.batchBytes(); n < limit && !r.ready.empty() && (n == 0 || size > 0); n++ {
		d := r.queues.pop(&r.ready)
		r.turns--
		r.add(d)
		size -= int(d.Len)
	}
	return n
}

// takeDue adds up to limit of the messages to the batch whose next try is due.
func (r *retrier) takeDue(limit int) {
	for n, size := 0, r.w.batchBytes(); n < limit && r.dueNow() && (n == 0 || size > 0); n++ {
		d := r.due.pop().desc
		r.add(d)
		size -= int(d.Len)
	}
}

// waiting yields the messages that wait here. They hold a reference to their slab each.
func (r *retrier) waiting(yield func(Desc) bool) {
	if !r.queues.all(r.ready, yield) {
		return
	}
	for _, t := range r.due {
		if !yield(t.desc) {
			return
		}
	}
	for _, lane := range r.lanes {
		if !r.queues.all(lane, yield) {
			return
		}
	}
}

// idle reports whether no message waits, for its next try or its turn.
func (r *retrier) idle() bool { return r.queued == 0 && r.ready.empty() && len(r.due) == 0 }

// giveBack replies that the messages in lanes are returned: no handler had them.
func (r *retrier) giveBack() {
	for k, lane := range r.lanes {
		for ; !lane.empty(); r.queued-- {
			d := r.queues.pop(&lane)
			r.w.reply(run{d, []span{Span(d.Off, d.Len)}}, Returned)
		}
		r.lanes[k] = queue{}
	}
}

// dueNow reports whether a try is due.
func (r *retrier) dueNow() bool { return len(r.due) > 0 && r.due[0].at <= r.w.now() }

// arm sees to it that the worker wakes for the next try.
func (r *retrier) arm() {
	if len(r.due) == 0 {
		return
	}
	wait := r.due[0].at - r.w.now()
	if r.tick == nil {
		r.tick = time.AfterFunc(wait, r.w.Wake)
	} else {
		r.tick.Reset(wait)
	}
}

func (r *retrier) stop() {
	if r.tick != nil {
		r.tick.Stop()
	}
}
