package pool

import "feedgate/worker"

// An ack of up to maxAck bytes fits the reply ring, whatever its size in entries. A longer one,
// which quotes much of a long message, is passed separately: see longAcks.
const (
	maxAck       = 32 << 10
	minReplyRing = 4 * maxAck
)

// replyRendered replies to each message with its rendered ack.
func (w *Worker) replyRendered(r run, code worker.Code) {
	for i := range r.spans {
		w.scratch = w.render(w.scratch[:0], w.message(&r, i), code)
		w.commit(Reply{Slot: r.slot(i), Count: 1, Code: code, Ack: w.scratch})
	}
}

// commit writes a reply to the ring. If the ring is full, it waits: while the loop cannot send
// acks, it leaves replies in the ring, and so stops its workers.
func (w *Worker) commit(r Reply) {
	w.replySize = r.size()
	b := w.reserveReply()
	for b == nil {
		w.signal()
		if w.stopping() {
			return
		}
		w.awaitsReplySpace.Store(true)
		w.park(w.canReplyFunc)
		w.awaitsReplySpace.Store(false)
		b = w.reserveReply()
	}
	if r.long() {
		w.longAcks.put(r.Ack)
	}
	r.put(b)
	w.out.Commit(len(b))
	w.records++
}

// reserveReply reserves space for a reply of w.replySize bytes; nil: there is none now.
func (w *Worker) reserveReply() []byte {
	n := w.replySize
	if n > replyHeader+maxAck {
		if w.longAcks.full() {
			return nil
		}
		n = replyHeader
	}
	return w.out.Reserve(n)
}

// canReply reports whether there is space for the reply that waits, or no need to wait any more.
func (w *Worker) canReply() bool { return w.stopping() || w.reserveReply() != nil }

// free releases n references to a slab, at the latest at the next publish.
func (w *Worker) free(slab uint16, n int) {
	if w.freed.slab != slab {
		w.releaseFreed()
	}
	w.freed.slab = slab
	w.freed.n += n
	w.mustPublish = true
}

// publish publishes the results of a turn: released slabs, then replies, then the space in the ring
// of descriptors. It signals once for all of them.
func (w *Worker) publish() {
	w.releaseFreed()
	w.flushReply()
	if w.mustPublish {
		w.mustPublish = false
		w.in.release()
		if w.records == 0 {
			// There are no replies: messages were deferred, or wait in the retrier, or
			// the loop has called Ask. It may be waiting for this, or for the space in
			// the ring.
			w.commit(Reply{})
		}
	}
	w.signal()
}

// publishReplies publishes the replies so far, in the middle of a batch. The space in the ring
// follows at the end of the batch, because the spans of its messages lie there.
func (w *Worker) publishReplies() {
	w.releaseFreed()
	w.flushReply()
	w.signal()
}

// releaseFreed releases the references collected by free.
func (w *Worker) releaseFreed() {
	if w.freed.n > 0 {
		w.slabs.Release(w.freed.slab, w.freed.n)
		w.freed.n = 0
	}
}

// signal publishes the replies committed so far, and wakes the loop if it sleeps.
func (w *Worker) signal() {
	if w.records == 0 {
		return
	}
	w.longAcks.ring.Publish() // before the records that refer to them
	w.out.Publish()
	n := w.records
	w.records = 0
	if w.events.Add(n) {
		w.wakeLoop()
	}
}
