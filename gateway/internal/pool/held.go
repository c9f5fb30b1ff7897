package pool

import (
	"sync/atomic"

	"feedgate/worker"
)

// Held is where a message lies that a worker has.
type Held struct {
	Slab     uint16
	Off, Len uint32
}

// answer is a worker's last answer to Ask.
type answer struct {
	ask  atomic.Uint32 // its number
	held []Held        // the loop's, until it asks again
}

// Ask asks the workers which messages they have. They answer when they next look for work, which
// one that is in Handle does late. Loop only; all must have answered what was asked before.
func (p *Pool) Ask() {
	p.asked.Add(1)
	for _, w := range p.workers {
		w.Wake()
	}
}

// Held is what all workers have answered, each once; false while one has yet to answer. A
// worker's answer comes with a reply. Loop only.
//
// A message never changes its worker. So the messages of a slab that are in use from now on are
// among those listed, if all that the slab was to have were published before Ask.
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

// Left is what handlers have deferred and not completed, after Stop.
func (p *Pool) Left() (lists [][]Held) {
	for _, w := range p.workers {
		lists = append(lists, w.holds(nil))
	}
	return lists
}

// asks reports whether there is an Ask to answer.
func (w *Worker) asks() bool { return w.pool.asked.Load() != w.answered.ask.Load() }

// answer answers Ask, between two batches: no message is in hand.
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
	w.took = true // rings, though nothing may be finished
	w.publish()
	return true
}

// holds appends all messages that the worker has.
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

func (t *pendingTable) holds(list []Held) []Held {
	for k := t.low; k < t.next; k++ {
		at := int(k) & (len(t.descs) - 1)
		if d := &t.descs[at]; t.state[at] {
			list = append(list, Held{d.Slab, d.Off, d.Len})
		}
	}
	return list
}

// holds appends what was published and not taken.
func (b *Inbox) holds(list []Held) []Held {
	slab, left := b.cur.Slab, b.left
	first, second := b.ring.All()
	for _, words := range [...][]uint64{first, second} { // a run lies in one of them
		for len(words) > 0 {
			if left == 0 && words[0] == 0 {
				words = words[1:]
				continue
			}
			if left == 0 {
				var d Desc
				d, left = runHeader(words)
				slab, words = d.Slab, words[runWords:]
			}
			for _, at := range words[:left] {
				list = append(list, Held{slab, uint32(at >> 32), uint32(at)})
			}
			words, left = words[left:], 0
		}
	}
	return list
}

// giveUp gives back the data of all messages that no handler has deferred, or that were completed
// since, after the worker has ended and its handlers were closed. It replies to none.
func (w *Worker) giveUp() {
	for _, s := range [...]*handlerState{w.main, w.dead} {
		if s != nil {
			s.completed = func(r run, _ worker.Code) { w.giveUpRun(r) }
			s.takeCompletions()
		}
	}
	for r := w.in.next(batchMax); len(r.spans) > 0; r = w.in.next(batchMax) {
		w.giveUpRun(r)
	}
	if w.retry != nil {
		for d := range w.retry.waiting {
			w.free(d.Slab, 1)
		}
		w.retry = nil
	}
	w.releaseFreed()
}

func (w *Worker) giveUpRun(r run) {
	w.free(r.first.Slab, len(r.spans))
}
