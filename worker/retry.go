package worker

import (
	"bytes"
	"container/heap"
	"time"
)

// copied in Desc.Slab says that the message was copied out of its slab; Off is
// then its index in retrier.copies.
const copied = 1<<16 - 1

// retrier holds one worker's messages that wait: for their next try, or, where
// order is by key, for a message of their key that came before. What waits is
// copied, so that it does not pin its slab. It is the worker's own.
//
// By key at most one message of a key is with the handler: only then can a
// message that fails still go before those that follow it.
type retrier struct {
	w    *Worker
	max  int           // tries after the first
	min  time.Duration // wait before the second try; doubles
	key  *Keyer        // nil: order is not by key
	tick *time.Timer

	copies []*waiting
	unused []uint32 // indices in copies
	due    dueHeap
	lanes  map[uint64][]*waiting // by key: who waits behind a message in hand
	inHand map[uint32]uint64     // by slot: the key of a message in hand
	queued int                   // messages in lanes
	ready  []*waiting            // at the head of their lane since the last turn
}

// waiting is a message that was copied out.
type waiting struct {
	desc   Desc
	source // Data is what lay in the slab for it
	tries  int
	at     time.Time
}

// maxRetryWait bounds the doubling.
const maxRetryWait = time.Hour

func newRetrier(w *Worker, cfg *Config) *retrier {
	r := &retrier{
		w: w, max: cfg.Retries, min: cfg.RetryMin,
		lanes: make(map[uint64][]*waiting), inHand: make(map[uint32]uint64),
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
			r.lanes[k] = append(lane, r.copyOut(one.at(0)))
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
	m := r.copyOut(one.at(0))
	if m.tries == r.max {
		return false
	}
	wait := min(r.min<<min(m.tries, 40), maxRetryWait)
	if wait < r.min {
		wait = maxRetryWait // shifted out
	}
	m.tries++
	m.at = r.w.now().Add(wait)
	heap.Push(&r.due, m)
	r.arm()
	return true
}

// copyOut moves a message out of its slab, unless it is out already.
func (r *retrier) copyOut(d Desc) *waiting {
	if d.Slab == copied {
		return r.copies[d.Off]
	}
	at := Span(d.Off, d.Len)
	m := &waiting{desc: d, source: source{Data: bytes.Clone(r.w.frame(d.Slab, at)), Origin: r.w.source(d.Slab, at).Origin}}
	r.w.free(d.Slab, 1)
	m.desc.Slab = copied
	if n := len(r.unused); n > 0 {
		m.desc.Off = r.unused[n-1]
		r.unused = r.unused[:n-1]
		r.copies[m.desc.Off] = m
	} else {
		m.desc.Off = uint32(len(r.copies))
		r.copies = append(r.copies, m)
	}
	return m
}

// drop forgets the copies of messages that are through.
func (r *retrier) drop(all run) {
	for _, at := range all.spans {
		r.copies[at>>32] = nil
		r.unused = append(r.unused, uint32(at>>32))
	}
}

// through lets the next message of a key go.
func (r *retrier) through(all run) {
	if r.key == nil {
		return
	}
	for i := range all.spans {
		slot := all.first.Slot + uint32(i)
		k := r.inHand[slot]
		delete(r.inHand, slot)
		lane := r.lanes[k]
		if len(lane) == 0 {
			delete(r.lanes, k)
			continue
		}
		r.ready = append(r.ready, lane[0])
		r.lanes[k], r.inHand[lane[0].desc.Slot] = lane[1:], k
		r.queued--
	}
}

// turn runs the messages whose time or turn has come through the handler, one by
// one.
func (r *retrier) turn() bool {
	busy := false
	for len(r.ready) > 0 && !r.w.full() {
		m := r.ready[0]
		r.ready = r.ready[1:]
		r.handle(m)
		busy = true
	}
	for r.waits() && !r.w.full() {
		r.handle(heap.Pop(&r.due).(*waiting))
		busy = true
	}
	if busy {
		r.arm()
	}
	return busy
}

func (r *retrier) handle(m *waiting) {
	r.w.main.handle(run{m.desc, []span{Span(m.desc.Off, m.desc.Len)}})
}

// idle reports whether no message waits, for its next try or its turn.
func (r *retrier) idle() bool { return r.queued == 0 && len(r.ready) == 0 && len(r.due) == 0 }

// giveBack replies that the messages in lanes are returned: no handler had them.
func (r *retrier) giveBack() {
	for k, lane := range r.lanes {
		for _, m := range lane {
			r.w.reply(run{m.desc, []span{Span(m.desc.Off, m.desc.Len)}}, Returned)
		}
		r.queued -= len(lane)
		r.lanes[k] = nil
	}
}

// waits reports whether a try is due.
func (r *retrier) waits() bool { return len(r.due) > 0 && !r.due[0].at.After(r.w.now()) }

// arm sees to it that the worker wakes for the next try.
func (r *retrier) arm() {
	if len(r.due) == 0 {
		return
	}
	wait := r.due[0].at.Sub(r.w.now())
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

type dueHeap []*waiting

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(*waiting)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return m
}
