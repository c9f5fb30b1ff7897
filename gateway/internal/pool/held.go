package pool

import (
	"sync/atomic"

	"feedgate/worker"
)

// Held is the place of a message that a worker has.
type Held struct {
	Slab     uint16
	Off, Len uint32
}

// answer is a worker's last answer to Ask.
type answer struct {
	ask  atomic.Uint32 // the number of the Ask that it answers
	held []Held        // the loop reads it, until the next Ask
}

// Ask requests from each worker a list of the messages that it has. A worker answers when it next
// looks for work, so one in a long Handle answers late. Loop only; every worker must have answered
// the previous Ask.
func (p *Pool) Ask() {
	p.asked.Add(1)
	for _, w := range p.workers {
		w.Wake()
	}
}

// Held returns the answers to the last Ask, a list per worker; false while one is missing. A worker
// that answers also publishes a reply, so that the loop wakes. Loop only.
//
// A message never changes its worker. So if every message of a slab was published before Ask, those
// still in use are among the ones listed.
func (p *Pool) Held() (lists [][]Held, all bool) {
	ask := p.asked.Load()
	for _, w := range p.workers {
		if w.answered.ask.Load() != ask {
			return nil, false
		}
	}
	for _, w := range p.workers {
		lists = append(lists, w.answered.held)
		w.answered.held = nil
	}
	return lists, true
}

// Left returns the messages that handlers have deferred and not resolved, after Stop.
func (p *Pool) Left() (lists [][]Held) {
	for _, w := range p.workers {
		lists = append(lists, w.holds(nil))
	}
	return lists
}

// asks reports whether the worker has an Ask to answer.
func (w *Worker) asks() bool { return w.pool.asked.Load() != w.answered.ask.Load() }

// answer answers Ask, between two batches. It returns false if there is none to answer.
func (w *Worker) answer() bool {
	if !w.asks() {
		return false
	}
	n := w.main.pending.count + w.in.Len()
	if w.dead != nil {
		n += w.dead.pending.count
	}
	w.answered.held = w.holds(make([]Held, 0, n))
	w.answered.ask.Store(w.pool.asked.Load())
	w.mustPublish = true // wakes the loop, also without a reply
	w.publish()
	return true
}

// holds appends all messages that the worker has to list.
func (w *Worker) holds(list []Held) []Held {
	for _, s := range [...]*handlerState{w.main, w.dead} {
		if s != nil {
			list = s.pending.holds(list)
		}
	}
	if w.retry != nil {
		for d := range w.retry.waiting {
			list = append(list, Held{d.Slab, d.Off, d.Len})
		}
	}
	return w.in.holds(list)
}

// holds appends the pending messages to list.
func (t *pendingTable) holds(list []Held) []Held {
	for k := t.low; k < t.next; k++ {
		at := int(k) & (len(t.descs) - 1)
		if d := &t.descs[at]; t.isPending[at] {
			list = append(list, Held{d.Slab, d.Off, d.Len})
		}
	}
	return list
}

// holds appends the messages that were published and not taken to list.
func (b *Inbox) holds(list []Held) []Held {
	h, left := b.cur, b.left
	first, second := b.ring.All()
	for _, words := range [...][]uint64{first, second} { // a run lies in one of them
		for len(words) > 0 {
			if left == 0 && words[0] == 0 {
				words = words[1:]
				continue
			}
			if left == 0 {
				h = runHeader(words)
				left, words = h.count, words[runWords:]
			}
			for _, at := range words[:left] {
				list = append(list, Held{h.base.Slab, uint32(at >> 32), uint32(at)})
			}
			words, left = words[left:], 0
			if h.scattered {
				words = words[distanceWords(h.count):]
			}
		}
	}
	return list
}

// abandon releases the slabs of all messages except those still pending, without a reply. The
// worker has ended, and its handlers are closed.
func (w *Worker) abandon() {
	for _, s := range [...]*handlerState{w.main, w.dead} {
		if s != nil {
			s.resolved = func(r run, _ worker.Code) { w.abandonRun(r) }
			s.takeCompletions()
		}
	}
	for r := w.in.next(batchMax); len(r.spans) > 0; r = w.in.next(batchMax) {
		w.abandonRun(r)
	}
	if w.retry != nil {
		for d := range w.retry.waiting {
			w.free(d.Slab, 1)
		}
		w.retry = nil
	}
	w.releaseFreed()
}

func (w *Worker) abandonRun(r run) {
	w.free(r.base.Slab, len(r.spans))
}
