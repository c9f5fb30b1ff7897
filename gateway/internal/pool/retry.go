package pool

import (
	"time"

	"feedgate/worker/selector"
)

// retrier holds one worker's messages that wait: for their next try or, under order by key, for an
// earlier message of their key. They stay in their slabs, to which it keeps references, so --memory
// limits them. The worker owns it.
//
// Under order by key, a message holds its key from when the handler first gets it (lazy: asks for it
// again) until it is replied to. Later ones of the key wait, so one that fails is tried before them.
// One that waits for its next try takes 32 bytes here and about 12 in failed; one that waits for its
// key, 32; twice as much after the lists have grown. One that holds a key takes up to 100 bytes.
type retrier struct {
	w    *Worker
	max  int             // tries after the first
	min  time.Duration   // wait before the second try; doubles
	key  *selector.Keyer // nil: order is not by key
	lazy bool            // a key is held only while a message that has it waits for its next try
	tick *time.Timer     // wakes the worker when a try is due; nil: never needed yet

	failed     map[uint32]int // by slot: failed tries of a message, if any
	due        dueHeap
	memory     queueMemory       // of keyQueues and ready
	keyQueues  map[uint64]queue  // by held key: the messages that wait for it
	heldKeys   map[uint32]uint64 // by slot: the key that a message holds
	queued     int               // messages in keyQueues
	ready      queue             // messages that hold their key and wait for the handler
	readyCount int               // messages in ready

	// The next batch.
	runs  []run
	spans []span // of messages that have waited, each a run; those of the others lie in the ring
}

// maxRetryWait limits the doubling.
const maxRetryWait = time.Hour

func newRetrier(w *Worker, cfg *Config) *retrier {
	r := &retrier{
		w: w, max: cfg.Retries, min: cfg.RetryMin, failed: make(map[uint32]int),
		keyQueues: make(map[uint64]queue), heldKeys: make(map[uint32]uint64),
	}
	if cfg.Key != nil {
		r.key = selector.NewKeyer(cfg.Key)
	}
	return r
}

// hash returns the hash of the key of a run's i-th message. Unless lazy, it is called once per
// message, before the handler, which may change the data.
func (r *retrier) hash(all *run, i int) uint64 { return r.key.Hash(r.w.message(all, i)) }

// handleNew gives the handler the new messages whose key is not held, in one batch; the others
// wait. Then it gives it messages that have become ready meanwhile, up to limit in all.
func (r *retrier) handleNew(first run, rest []run, limit int) {
	if !r.sorts() {
		r.w.main.handle(first, rest...)
		return
	}
	r.sort(first)
	for _, next := range rest {
		r.sort(next)
	}
	for r.handle() && limit > 0 {
		limit -= r.takeReady(min(limit, r.w.retryLimit()))
	}
}

// sort adds the messages of a run whose key is not held to the batch, and queues the others.
func (r *retrier) sort(all run) {
	n := 0 // messages at the head of all that belong in the batch
	for n < len(all.spans) {
		k := r.hash(&all, n)
		waiting, held := r.keyQueues[k]
		if !held {
			if !r.lazy {
				r.holdKey(k, all.slot(n))
			}
			n++
			continue
		}
		if n > 0 {
			r.runs = append(r.runs, all.cut(n))
			n = 0
		}
		r.wait(k, waiting, all.cut(1))
	}
	if n > 0 {
		r.runs = append(r.runs, all)
	}
}

// sorts reports whether messages may have to wait for their key.
func (r *retrier) sorts() bool { return r.key != nil && (!r.lazy || len(r.keyQueues) > 0) }

// wait puts the one message of a run behind those that wait for its key.
func (r *retrier) wait(k uint64, waiting queue, one run) {
	r.memory.push(&waiting, one.at(0))
	r.keyQueues[k] = waiting
	r.queued++
}

// waits puts the next message of a batch behind those that wait for its key, if that is held. It
// reports whether it did.
func (r *retrier) waits(b *batch) bool {
	if _, holds := r.heldKeys[b.run.slot(0)]; holds {
		return false // the others wait for this one
	}
	k := r.hash(&b.run, 0)
	waiting, held := r.keyQueues[k]
	if held {
		r.wait(k, waiting, b.skip())
	}
	return held
}

// add adds a message that has waited to the batch.
func (r *retrier) add(d Desc) {
	r.spans = append(r.spans, Span(d.Off, d.Len))
	r.runs = append(r.runs, oneRun(d, r.spans[len(r.spans)-1:]))
}

// handle gives the batch to the handler. It returns false if the batch is empty.
func (r *retrier) handle() bool {
	if len(r.runs) == 0 {
		return false
	}
	r.w.main.handle(r.runs[0], r.runs[1:]...)
	r.runs, r.spans = r.runs[:0], r.spans[:0]
	return true
}

// holdKey makes the message in a slot hold a key.
func (r *retrier) holdKey(k uint64, slot uint32) {
	r.keyQueues[k], r.heldKeys[slot] = queue{}, k
}

// again schedules another try of the one message of a run. It returns false if no try is left.
func (r *retrier) again(one run) bool {
	tries := r.failed[one.base.Slot]
	if tries == r.max {
		return false
	}
	wait := min(r.min<<min(tries, 40), maxRetryWait)
	if wait < r.min {
		wait = maxRetryWait // shifted out
	}
	r.failed[one.base.Slot] = tries + 1
	r.after(one, wait)
	return true
}

// askedAgain schedules another try of the one message of a run, for which the handler has asked.
func (r *retrier) askedAgain(one run, wait time.Duration) {
	if _, holds := r.heldKeys[one.base.Slot]; r.key != nil && !holds {
		k := r.hash(&one, 0)
		if waiting, held := r.keyQueues[k]; held {
			r.wait(k, waiting, one)
			return
		}
		r.holdKey(k, one.base.Slot)
	}
	r.after(one, wait)
}

// after schedules another try of the one message of a run, after a wait.
func (r *retrier) after(one run, wait time.Duration) {
	r.w.retries.Add(1)
	r.due.push(dueTry{one.at(0), r.w.now() + wait})
	r.arm()
}

// replied forgets the failed tries of messages that are replied to, and releases their keys.
func (r *retrier) replied(all run) {
	if len(r.heldKeys) == 0 && len(r.failed) == 0 {
		return
	}
	for i := range all.spans {
		slot := all.slot(i)
		delete(r.failed, slot)
		if r.key != nil {
			r.releaseKey(slot)
		}
	}
}

// releaseKey releases the key of the message in a slot. The next message of the key then holds it,
// and is ready.
func (r *retrier) releaseKey(slot uint32) {
	k, holds := r.heldKeys[slot]
	if !holds {
		return
	}
	delete(r.heldKeys, slot)
	waiting := r.keyQueues[k]
	if waiting.empty() {
		delete(r.keyQueues, k)
		return
	}
	next := r.memory.pop(&waiting)
	r.memory.push(&r.ready, next)
	r.readyCount++
	r.keyQueues[k], r.heldKeys[next.Slot] = waiting, k
	r.queued--
}

// turn gives the handler a batch of ready messages, and one of messages whose next try is due.
func (r *retrier) turn() bool {
	if r.ready.empty() && !r.dueNow() {
		return false
	}
	r.w.progress.begin(r.w.now(), batchTime)
	r.takeReady(r.w.retryLimit())
	busy := r.handle()
	r.takeDue(r.w.retryLimit())
	busy = r.handle() || busy
	if busy {
		r.w.progress.end(r.w.now())
		r.arm()
	}
	return busy
}

// takeReady moves up to limit ready messages to the batch, and returns how many.
func (r *retrier) takeReady(limit int) (n int) {
	for size := r.w.batchBytes(); n < limit && !r.ready.empty() && (n == 0 || size > 0); n++ {
		d := r.memory.pop(&r.ready)
		r.readyCount--
		r.add(d)
		size -= int(d.Len)
	}
	return n
}

// takeDue moves up to limit messages whose next try is due to the batch.
func (r *retrier) takeDue(limit int) {
	for n, size := 0, r.w.batchBytes(); n < limit && r.dueNow() && (n == 0 || size > 0); n++ {
		d := r.due.pop().desc
		r.add(d)
		size -= int(d.Len)
	}
}

// waiting yields the messages that wait here. Each has a reference to its slab.
func (r *retrier) waiting(yield func(Desc) bool) {
	if !r.memory.all(r.ready, yield) {
		return
	}
	for _, t := range r.due {
		if !yield(t.desc) {
			return
		}
	}
	for _, q := range r.keyQueues {
		if !r.memory.all(q, yield) {
			return
		}
	}
}

// idle reports whether no message waits here.
func (r *retrier) idle() bool { return r.queued == 0 && r.ready.empty() && len(r.due) == 0 }

// returnAll replies to the messages in keyQueues as Returned: the handler never had them.
func (r *retrier) returnAll() {
	for k, q := range r.keyQueues {
		for ; !q.empty(); r.queued-- {
			d := r.memory.pop(&q)
			r.w.reply(oneRun(d, []span{Span(d.Off, d.Len)}), Returned)
		}
		r.keyQueues[k] = queue{}
	}
}

// dueNow reports whether a try is due.
func (r *retrier) dueNow() bool { return len(r.due) > 0 && r.due[0].at <= r.w.now() }

// arm sets the timer that wakes the worker for the next try.
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

// stop stops the timer.
func (r *retrier) stop() {
	if r.tick != nil {
		r.tick.Stop()
	}
}
