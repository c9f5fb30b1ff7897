package kit

import (
	"cmp"
	"errors"
	"time"

	"feedgate/worker"
)

// Outcome is the result of an attempt to send a message.
type Outcome struct {
	kind  kind
	code  worker.Code
	after time.Duration
	err   error
}

type kind uint8

const (
	pending kind = iota // none yet
	done
	again
	refused
	unfit
	denied
	halve
)

// errAgain is the reason of an outcome without one.
var errAgain = errors.New("no reason given")

// Done: the server has confirmed that it has the message. It is acknowledged at once.
func Done() Outcome { return Outcome{kind: done} }

// Again: the server cannot take the message now. It is sent again after the backoff, or after the
// wait that the server asks for if that is longer, up to --reconnect-max. Until then its batch
// counts as one of Config.Outstanding. err is the reason, for the log and /ready.
func Again(after time.Duration, err error) Outcome {
	return Outcome{kind: again, after: after, err: err}
}

// Refused: the server will never take this message, because of the message itself. It is refused
// with the code.
func Refused(code worker.Code) Outcome { return Outcome{kind: refused, code: code} }

// Unfit: the sink itself cannot send the message, such as one with a line feed where lines are
// sent. It is refused with the code. Unlike Refused, it is no evidence that the settings are wrong.
func Unfit(code worker.Code) Outcome { return Outcome{kind: unfit, code: code} }

// Denied: the server takes no message at all from this sink, such as with a wrong password. If it
// has never accepted one, the settings are wrong, and the sink fails with err. Otherwise, it is
// Again(0, err).
func Denied(err error) Outcome { return Outcome{kind: denied, err: err} }

// entry is a message that the handler has deferred.
type entry struct {
	m     worker.Message
	id    worker.ID
	queue *keyQueue // nil: unordered
}

// Batch is messages that are sent together. The client may use it until every message has an
// outcome.
type Batch struct {
	// ID numbers the batches of a worker, from 1. A batch that is sent again keeps its ID if it
	// has the same messages, those that are unfit excepted. One without messages that are done
	// or refused by now has another, and so has each half of a split batch.
	ID uint64
	// Attempt is the number of this attempt to send the messages, from 1.
	Attempt int

	h        *handler
	claim    *claim // whose batch it is
	entries  []entry
	outcomes []Outcome     // by entry
	left     int           // messages without an outcome
	ended    chan struct{} // closed when left is 0
}

// newBatch makes a batch with a new ID.
func (h *handler) newBatch(entries []entry) *Batch {
	h.batches++
	return h.batch(h.batches, entries, make([]Outcome, len(entries)))
}

// batch makes a batch. outcomes has a place for each entry.
func (h *handler) batch(id uint64, entries []entry, outcomes []Outcome) *Batch {
	return &Batch{ID: id, h: h, entries: entries, outcomes: outcomes}
}

// begin prepares another attempt.
func (b *Batch) begin() {
	b.Attempt++
	clear(b.outcomes)
	b.left, b.ended = len(b.entries), make(chan struct{})
}

// Len returns the number of messages.
func (b *Batch) Len() int { return len(b.entries) }

// At returns the i-th message. It is valid until it has an outcome.
func (b *Batch) At(i int) worker.Message { return b.entries[i].m }

// Key returns the key of the i-th message as a number, as Config.KeyFunc returns it, or the hash of
// what Config.Key picks; 0 without keys. It is valid until the message has an outcome.
func (b *Batch) Key(i int) uint64 {
	if b.entries[i].queue == nil {
		return 0
	}
	return b.entries[i].queue.key
}

// Resolve sets the outcome of the n messages from the i-th on. Any goroutine may call it, during
// Send or later, in any order. A message gets one outcome per attempt: a second one panics.
func (b *Batch) Resolve(i, n int, o Outcome) {
	b.record(o)
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	b.resolve(i, n, o)
}

// ResolveAll sets the outcome of every message that has none yet.
func (b *Batch) ResolveAll(o Outcome) {
	b.record(o)
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	b.resolveRest(o)
}

// Split is for a batch that the server refuses as a whole because of some of its messages. Those
// without an outcome, and those that are to be sent again, are sent in two halves, one after the
// other, and so on, down to single messages. One that is refused alone is refused with the code.
func (b *Batch) Split(code worker.Code) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if b.left == 1 {
		b.resolveRest(Refused(code))
		return
	}
	b.resolveRest(Outcome{kind: halve})
}

// Waits is for a client that sends messages of the batch again by itself, because only it can repeat
// what it has sent. The sink is not ready, because of why, until every message has an outcome. It
// may be called several times.
func (b *Batch) Waits(why error) {
	if b.h.ctx.Err() != nil {
		return // why is only that the handler is being closed
	}
	b.h.setDown(b.claim, why)
	b.h.sink.log.resumes.Forget()
	b.h.sink.log.waits.Add("worker", b.h.worker, "error", why, "messages", len(b.entries))
}

// record records what an outcome shows about the server.
func (b *Batch) record(o Outcome) {
	switch o.kind {
	case done:
		b.h.noteAccepted()
	case denied:
		b.h.sink.deny(cmp.Or(o.err, errAgain))
	}
}

// resolve is Resolve. The lock is held.
func (b *Batch) resolve(i, n int, o Outcome) {
	for k := i; k < i+n; k++ {
		if b.outcomes[k].kind != pending {
			panic("kit: message resolved twice")
		}
		b.outcomes[k] = o
	}
	if o.kind == done {
		b.h.resolve(b.entries[i:i+n], worker.OK)
	}
	if b.left -= n; b.left == 0 {
		close(b.ended)
	}
}

// resolveRest is ResolveAll. The lock is held.
func (b *Batch) resolveRest(o Outcome) {
	for i := 0; i < len(b.entries); {
		n := 0
		for i+n < len(b.entries) && b.outcomes[i+n].kind == pending {
			n++
		}
		if n > 0 {
			b.resolve(i, n, o)
		}
		i += n + 1
	}
}

// result sums up an attempt: which messages are not done.
type result struct {
	done     bool          // some are
	retry    *Batch        // to be sent again; nil: none
	after    time.Duration // how long the server asks to wait before
	why      error         // the reason
	halves   []entry       // all that are to be sent again, in halves
	refusals []refusal     // by the server
	unfit    []refusal
}

// result sums up an attempt that has ended. after is the longest wait, and why the first reason, of
// the messages that are to be sent again. The lock is held.
func (b *Batch) result() (r result) {
	var left []entry
	halves := false
	for i, o := range b.outcomes {
		switch e := b.entries[i]; o.kind {
		case done:
			r.done = true
		case refused:
			r.refusals = append(r.refusals, refusal{e, o.code})
		case unfit:
			r.unfit = append(r.unfit, refusal{e, o.code})
		case again, denied, halve:
			left = append(left, e)
			halves = halves || o.kind == halve
			r.after = max(r.after, o.after)
			r.why = cmp.Or(r.why, o.err, errAgain)
		}
	}
	switch {
	case len(left) == 0:
		return r
	case halves:
		r.halves = left
		return r
	case len(left) == len(b.entries):
		r.retry = b
		return r
	}
	if len(left)+len(r.unfit) == len(b.entries) {
		r.retry = b.h.batch(b.ID, left, make([]Outcome, len(left))) // the server gets the same batch
	} else {
		r.retry = b.h.newBatch(left)
	}
	r.retry.Attempt = b.Attempt
	return r
}

// halve makes two batches of some of the messages of b.
func (b *Batch) halve(part []entry) (first, second *Batch) {
	middle := len(part) / 2
	return b.h.newBatch(part[:middle:middle]), b.h.newBatch(part[middle:])
}

// refusal is a message that is refused.
type refusal struct {
	entry
	code worker.Code
}
