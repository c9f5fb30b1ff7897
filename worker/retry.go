package worker

import (
	"slices"
	"time"
)

// retrier holds one worker's messages that wait: for their next try, or, where order is by key,
// for a message of their key that came before. They stay in their slabs, whose references it
// keeps, so --memory bounds them. It is the worker's own.
//
// By key at most one message of a key is with the handler: only then can a
// message that fails still go before those that follow it.
//
// Each message that waits costs 24 to 64 bytes here, and one in hand with a key up to 100.
type retrier struct {
	w     *Worker
	max   int           // tries after the first
	min   time.Duration // wait before the second try; doubles
	key   *Keyer        // nil: order is not by key
	start time.Time     // times in due are since then
	tick  *time.Timer

	failed map[uint32]int // by slot: tries of a message that have failed, if any
	due    dueHeap
	lanes  map[uint64][]Desc // by key: who waits behind a message in hand
	inHand map[uint32]uint64 // by slot: the key of a message in hand
	queued int               // messages in lanes
	ready  []Desc            // at the head of their lane since the last turn
	span   [1]span           // of the message that is handled
}

// maxRetryWait bounds the doubling.
const maxRetryWait = time.Hour

func newRetrier(w *Worker, cfg *Config) *retrier {
	r := &retrier{
		w: w, max: cfg.Retries, min: cfg.RetryMin, start: w.now(), failed: make(map[uint32]int),
		lanes: make(map[uint64][]Desc), inHand: make(map[uint32]uint64),
	}
	if cfg.Key != nil {
		r.key = NewKeyer(cfg.Key)
	}
	return r
}

// hash is the hash of the key of a run's i-th message. It is asked for once: the handler may
// have changed the data afterwards.
func (r *retrier) hash(all *run, i int) uint64 { return r.key.Hash(r.w.message(all, i)) }

// admit runs those of a run through the handler that may go now; the others wait.
func (r *retrier) admit(all run) {
	if r.key == nil {
		r.w.main.handle(all)
		return
	}
	for len(all.spans) > 0 {
		n, k, free := 0, uint64(0), true
		for n < len(all.spans) {
			k = r.hash(&all, n)
			if _, busy := r.lanes[k]; busy {
				free = false
				break
			}
			r.enter(k, all.first.Slot+uint32(n))
			n++
		}
		if n > 0 {
			r.w.main.handle(all.cut(n))
		}
		if free {
			return
		}
		one := all.cut(1)
		if lane, busy := r.lanes[k]; busy {
			r.lanes[k] = append(lane, one.at(0))
			r.queued++
		} else {
			// Its key became free while the handler had those before it.
			r.enter(k, one.first.Slot)
			r.w.main.handle(one)
		}
	}
}

// enter marks a key as in hand, with the message of a slot.
func (r *retrier) enter(k uint64, slot uint32) {
	r.lanes[k], r.inHand[slot] = nil, k
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
	r.due.push(dueTry{one.at(0), r.now() + wait})
	r.arm()
	return true
}

// through forgets the tries of messages that are done, and lets the next one of a key go.
func (r *retrier) through(all run) {
	if r.key == nil && len(r.failed) == 0 {
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
	k := r.inHand[slot]
	delete(r.inHand, slot)
	lane := r.lanes[k]
	if len(lane) == 0 {
		delete(r.lanes, k)
		return
	}
	r.ready = append(r.ready, lane[0])
	r.lanes[k], r.inHand[lane[0].Slot] = lane[1:], k
	r.queued--
}

// turn runs the messages whose time or turn has come through the handler, one by
// one.
func (r *retrier) turn() bool {
	n := 0
	for ; n < len(r.ready) && !r.w.full(); n++ {
		r.handle(r.ready[n])
	}
	r.ready = slices.Delete(r.ready, 0, n)
	busy := n > 0
	for r.waits() && !r.w.full() {
		r.handle(r.due.pop().desc)
		busy = true
	}
	if busy {
		r.arm()
	}
	return busy
}

func (r *retrier) handle(d Desc) { r.w.main.handle(r.run(d)) }

// run is one message as a run; it is good until the next call.
func (r *retrier) run(d Desc) run {
	r.span[0] = Span(d.Off, d.Len)
	return run{d, r.span[:]}
}

// waiting yields the messages that wait here. They hold a reference to their slab each.
func (r *retrier) waiting(yield func(Desc) bool) {
	for _, d := range r.ready {
		if !yield(d) {
			return
		}
	}
	for _, t := range r.due {
		if !yield(t.desc) {
			return
		}
	}
	for _, lane := range r.lanes {
		for _, d := range lane {
			if !yield(d) {
				return
			}
		}
	}
}

// idle reports whether no message waits, for its next try or its turn.
func (r *retrier) idle() bool { return r.queued == 0 && len(r.ready) == 0 && len(r.due) == 0 }

// giveBack replies that the messages in lanes are returned: no handler had them.
func (r *retrier) giveBack() {
	for k, lane := range r.lanes {
		for _, d := range lane {
			r.w.reply(r.run(d), Returned)
		}
		r.queued -= len(lane)
		r.lanes[k] = nil
	}
}

// now is the time since start.
func (r *retrier) now() time.Duration { return r.w.now().Sub(r.start) }

// waits reports whether a try is due.
func (r *retrier) waits() bool { return len(r.due) > 0 && r.due[0].at <= r.now() }

// arm sees to it that the worker wakes for the next try.
func (r *retrier) arm() {
	if len(r.due) == 0 {
		return
	}
	wait := r.due[0].at - r.now()
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
