package pool

import "feedgate/worker"

// An ack of up to maxAck bytes fits the reply ring whatever its size in entries;
// a longer one, which quotes much of a long message, goes aside: see longAcks.
const (
	maxAck       = 32 << 10
	minReplyRing = 4 * maxAck
)

// extend extends the run of finished messages, or starts another: messages with
// consecutive slots and one code make one reply.
func (w *Worker) extend(slot, n uint32, code worker.Code) {
	if p := &w.finished; p.Count > 0 && p.Code == code && p.Slot+p.Count == slot {
		p.Count += n
		return
	}
	w.flushRun()
	w.finished = Reply{Slot: slot, Count: n, Code: code}
}

func (w *Worker) flushRun() {
	if w.finished.Count > 0 {
		w.commit(w.finished)
		w.finished.Count = 0
	}
}

// replyRendered makes one reply with its ack for each message.
func (w *Worker) replyRendered(r run, code worker.Code) {
	for i := range r.spans {
		w.scratch = w.render(w.scratch[:0], w.message(&r, i), code)
		w.commit(Reply{Slot: r.first.Slot + uint32(i), Count: 1, Code: code, Ack: w.scratch})
	}
}

// commit writes a reply to the ring, waiting for room: a loop that cannot send
// leaves replies where they are, and so holds its workers back.
func (w *Worker) commit(r Reply) {
	w.wants = replyHeader + len(r.Ack)
	b := w.replyRoom()
	for b == nil {
		w.ring()
		if w.stopping() {
			return
		}
		w.wantsRoom.Store(true)
		w.park(w.hasRoom)
		w.wantsRoom.Store(false)
		b = w.replyRoom()
	}
	if r.long() {
		w.aside.put(r.Ack)
	}
	r.put(b)
	w.out.Commit(len(b))
	w.records++
}

// replyRoom is room for the reply that waits, of w.wants bytes with its ack; nil: there is none now.
func (w *Worker) replyRoom() []byte {
	n := w.wants
	if n > replyHeader+maxAck {
		if w.aside.full() {
			return nil
		}
		n = replyHeader
	}
	return w.out.Reserve(n)
}

// replyFits reports whether the reply that waits has room now, or need not wait any more.
func (w *Worker) replyFits() bool { return w.stopping() || w.replyRoom() != nil }

// free gathers references to give back.
func (w *Worker) free(slab uint16, n int) {
	if w.freed.slab != slab {
		w.releaseFreed()
	}
	w.freed.slab = slab
	w.freed.n += n
	w.took = true
}

// publish hands over everything of this turn: data, then replies, then the room
// in the ring, and rings once for all.
func (w *Worker) publish() {
	w.releaseFreed()
	w.flushRun()
	if w.took {
		w.took = false
		w.in.release()
		if w.records == 0 {
			// Nothing was finished since the last ring: messages were deferred, or wait in the
			// retrier, or the loop has asked which there are. It may be waiting for the room
			// that they left.
			w.commit(Reply{})
		}
	}
	w.ring()
}

// publishFinished hands over what is finished of the batch in hand. The room in the ring
// follows at its end, because the spans of its messages lie there.
func (w *Worker) publishFinished() {
	w.releaseFreed()
	w.flushRun()
	w.ring()
}

func (w *Worker) releaseFreed() {
	if w.freed.n > 0 {
		w.slabs.Release(w.freed.slab, w.freed.n)
		w.freed.n = 0
	}
}

func (w *Worker) ring() {
	if w.records == 0 {
		return
	}
	w.aside.ring.Publish() // before the records that refer to it
	w.out.Publish()
	n := w.records
	w.records = 0
	if w.bell.Ring(n) {
		w.wakeLoop()
	}
}
