package worker

import (
	"bytes"
	"unsafe"
)

// An ack of up to maxAck bytes fits the reply ring whatever its size in entries;
// a longer one, which quotes much of a long message, goes by the heap.
const (
	maxAck       = 32 << 10
	minReplyRing = 4 * maxAck
)

var _ = [1]struct{}{}[unsafe.Sizeof(Desc{})-24] // a descriptor is 24 bytes

// replyRun extends the run of finished messages, or starts another: messages
// with consecutive places and one code make one reply.
func (w *Worker) replyRun(descs []Desc, code Code) {
	first, last := descs[0].Place, descs[len(descs)-1].Place
	if w.retry == nil && last-first == uint32(len(descs)-1) {
		// Places rise within a worker's ring, so nothing is missing between. Tries
		// come in any order.
		w.extend(first, uint32(len(descs)), code)
		return
	}
	for i := range descs {
		w.extend(descs[i].Place, 1, code)
	}
}

func (w *Worker) extend(place, n uint32, code Code) {
	if p := &w.pending; p.Count > 0 && p.Code == code && p.Place+p.Count == place {
		p.Count += n
		return
	}
	w.flushRun()
	w.pending = Reply{Place: place, Count: n, Code: code}
}

func (w *Worker) flushRun() {
	if w.pending.Count > 0 {
		w.commit(w.pending)
		w.pending.Count = 0
	}
}

// replyRendered makes one reply with its ack for each message.
func (w *Worker) replyRendered(descs []Desc, code Code) {
	for i := range descs {
		d := &descs[i]
		m := Message{Data: w.data(d), Seq: d.Seq, Aux: d.Aux}
		w.scratch = w.render(w.scratch[:0], m, code)
		w.commit(Reply{Place: d.Place, Count: 1, Code: code, Ack: w.scratch})
	}
}

// commit writes a reply to the ring, waiting for room: a loop that cannot send
// leaves replies where they are, and so holds its workers back.
func (w *Worker) commit(r Reply) {
	aside := len(r.Ack) > maxAck
	if aside {
		w.aside.Store(r.Place, bytes.Clone(r.Ack))
		r.Ack = nil
	}
	w.wants = replyHeader + len(r.Ack)
	b := w.out.Reserve(w.wants)
	for b == nil {
		w.ring()
		if w.stopping() {
			return
		}
		w.park(w.hasRoom)
		b = w.out.Reserve(w.wants)
	}
	r.put(b, aside)
	w.out.Commit(w.wants)
	w.records++
}

func (w *Worker) roomy() bool { return w.stopping() || w.out.Reserve(w.wants) != nil }

// freeData gathers the references to give back.
func (w *Worker) freeData(descs []Desc) {
	first, last := descs[0].Slab, descs[len(descs)-1].Slab
	if w.retry == nil && first == last {
		// The loop fills slabs one after another and does not come back to one
		// before all its messages are finished.
		w.free(first, len(descs))
		return
	}
	for i := range descs {
		if descs[i].Slab == copied {
			w.retry.drop(&descs[i])
		} else {
			w.free(descs[i].Slab, 1)
		}
	}
}

func (w *Worker) free(slab uint16, n int) {
	if w.freed.slab != slab && w.freed.n > 0 {
		w.slabs.Release(w.freed.slab, w.freed.n)
		w.freed.n = 0
	}
	w.freed.slab = slab
	w.freed.n += n
}

// publish hands over everything of this turn: data, then replies, then the room
// in the ring, and rings once for all.
func (w *Worker) publish() {
	if w.freed.n > 0 {
		w.slabs.Release(w.freed.slab, w.freed.n)
		w.freed.n = 0
	}
	w.flushRun()
	if w.took {
		w.took = false
		w.in.Release()
		if w.records == 0 {
			// Every message of the batch was put off. The loop may be waiting for
			// the room that they left.
			w.commit(Reply{})
		}
	}
	w.ring()
}

func (w *Worker) ring() {
	if w.records == 0 {
		return
	}
	w.out.Publish()
	n := w.records
	w.records = 0
	if w.bell.Ring(n) {
		w.wakeLoop()
	}
}
