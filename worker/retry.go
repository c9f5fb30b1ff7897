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
	key  func(msg []byte) uint64
	tick *time.Timer

	copies []*waiting
	unused []uint32 // indices in copies
	due    dueHeap
	lanes  map[uint64][]*waiting // by key: who waits behind a message in hand
	ready  []Desc                // at the head of their lane since the last turn
	batch  []Desc
}

// waiting is a message that was copied out.
type waiting struct {
	desc  Desc
	data  []byte
	tries int
	at    time.Time
}

// maxRetryWait bounds the doubling.
const maxRetryWait = time.Hour

func newRetrier(w *Worker, cfg *Config) *retrier {
	return &retrier{
		w: w, max: cfg.Retries, min: cfg.RetryMin, key: cfg.Key,
		lanes: make(map[uint64][]*waiting),
	}
}

// admit picks those of a batch that may go to the handler now.
func (r *retrier) admit(descs []Desc) []Desc {
	if r.key == nil {
		return descs
	}
	r.batch = r.batch[:0]
	for _, d := range descs {
		k := r.key(r.w.data(&d))
		if lane, busy := r.lanes[k]; busy {
			r.lanes[k] = append(lane, r.copyOut(d))
		} else {
			r.lanes[k] = nil
			r.batch = append(r.batch, d)
		}
	}
	return r.batch
}

// again schedules another try of a message; false when it has had all of them.
func (r *retrier) again(d Desc) bool {
	if r.max == 0 {
		return false
	}
	m := r.copyOut(d)
	if m.tries == r.max {
		return false
	}
	wait := min(r.min<<min(m.tries, 40), maxRetryWait)
	if wait < r.min {
		wait = maxRetryWait // shifted out
	}
	m.tries++
	m.at = time.Now().Add(wait)
	heap.Push(&r.due, m)
	r.arm()
	return true
}

// copyOut moves a message out of its slab, unless it is out already.
func (r *retrier) copyOut(d Desc) *waiting {
	if d.Slab == copied {
		return r.copies[d.Off]
	}
	m := &waiting{desc: d, data: bytes.Clone(r.w.data(&d))}
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

// drop forgets the copy of a message that is through.
func (r *retrier) drop(d *Desc) {
	r.copies[d.Off] = nil
	r.unused = append(r.unused, d.Off)
}

// through lets the next message of a key go. It is called before the data of the
// message that is through are given up.
func (r *retrier) through(descs []Desc) {
	if r.key == nil {
		return
	}
	for i := range descs {
		k := r.key(r.w.data(&descs[i]))
		lane := r.lanes[k]
		if len(lane) == 0 {
			delete(r.lanes, k)
			continue
		}
		r.ready = append(r.ready, lane[0].desc)
		r.lanes[k] = lane[1:]
	}
}

// take returns the messages whose time or turn has come. The slice is good until
// the next call.
func (r *retrier) take() []Desc {
	if len(r.ready) == 0 && !r.waits() {
		return nil
	}
	now := time.Now()
	batch := append([]Desc(nil), r.ready...)
	r.ready = r.ready[:0]
	for len(r.due) > 0 && !r.due[0].at.After(now) {
		batch = append(batch, heap.Pop(&r.due).(*waiting).desc)
	}
	r.arm()
	return batch
}

// waits reports whether a try is due.
func (r *retrier) waits() bool { return len(r.due) > 0 && !r.due[0].at.After(time.Now()) }

// arm sees to it that the worker wakes for the next try.
func (r *retrier) arm() {
	if len(r.due) == 0 {
		return
	}
	wait := time.Until(r.due[0].at)
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
