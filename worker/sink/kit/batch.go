package kit

import (
	"cmp"
	"errors"
	"time"

	"feedgate/worker"
)

// Outcome is what became of a message.
type Outcome struct {
	kind  kind
	code  worker.Code
	after time.Duration
	err   error
}

type kind uint8

const (
	pending kind = iota // not resolved
	done
	again
	refused
	unfit
	denied
	halve
)

// errAgain is the reason of an outcome that gives none.
var errAgain = errors.New("no reason given")

// Done: the server has the message.
func Done() Outcome { return Outcome{kind: done} }

// Again: the message is sent again, after the backoff, or after what the server asks for if
// that is longer, up to --reconnect-max. Until then its batch is one of the
// Config.Outstanding. The error says why, for the log and /ready.
func Again(after time.Duration, err error) Outcome {
	return Outcome{kind: again, after: after, err: err}
}

// Refused: the server will never take the message, because of the message itself.
func Refused(code worker.Code) Outcome { return Outcome{kind: refused, code: code} }

// Unfit: the message cannot be sent at all, whatever the server: its text is not of the form
// that the sink needs. Unlike Refused, it says nothing about the settings.
func Unfit(code worker.Code) Outcome { return Outcome{kind: unfit, code: code} }

// Denied: the server takes no message from this sink, whatever it is. If it has never accepted
// one, that is a fault of the settings, and the sink fails; else this is Again(0, err).
func Denied(err error) Outcome { return Outcome{kind: denied, err: err} }

// entry is a message that the handler has deferred.
type entry struct {
	m      worker.Message
	ticket worker.ID
	lane   *lane // nil: unordered
}

// Batch is messages that are sent together. The client has it until all are resolved.
type Batch struct {
	// ID numbers the batches of a worker, from 1. A batch that is sent again keeps it, also
	// without messages that are unfit; what is left of one of which some are done or refused
	// gets another, as do halves.
	ID uint64
	// Attempt counts the Sends of a batch, from 1.
	Attempt int

	h        *handler
	entries  []entry
	outcomes []Outcome     // by entry
	left     int           // not resolved yet
	resolved chan struct{} // closed when left is 0
}

// newBatch makes a batch with a number of its own.
func (h *handler) newBatch(entries []entry) *Batch {
	h.batches++
	return h.batch(h.batches, entries)
}

func (h *handler) batch(id uint64, entries []entry) *Batch {
	return &Batch{ID: id, h: h, entries: entries, outcomes: make([]Outcome, len(entries))}
}

// begin prepares another attempt.
func (b *Batch) begin() {
	b.Attempt++
	clear(b.outcomes)
	b.left, b.resolved = len(b.entries), make(chan struct{})
}

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.entries) }

// At is the i-th message. Its data, and its Lane, are valid until it is resolved.
func (b *Batch) At(i int) worker.Message { return b.entries[i].m }

// Lane is the lane of the i-th message; 0 without lanes.
func (b *Batch) Lane(i int) uint64 {
	if b.entries[i].lane == nil {
		return 0
	}
	return b.entries[i].lane.key
}

// Resolve sets the outcome of n messages from the i-th on. Any goroutine may call it, in any
// order, once per message of an attempt. Those that are done are acknowledged at once.
func (b *Batch) Resolve(i, n int, o Outcome) {
	b.note(o)
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	b.resolve(i, n, o)
}

// ResolveAll sets the outcome of all messages that have none yet.
func (b *Batch) ResolveAll(o Outcome) {
	b.note(o)
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	b.resolveRest(o)
}

// Split resolves what the server refused as a whole because of some of its messages: those that
// have no outcome yet, and those that are to be sent again, are sent in halves, one after the
// other, down to the messages that are refused alone, with code.
func (b *Batch) Split(code worker.Code) {
	b.h.mu.Lock()
	defer b.h.mu.Unlock()
	if b.left == 1 {
		b.resolveRest(Refused(code))
		return
	}
	b.resolveRest(Outcome{kind: halve})
}

// note tells the sink what an outcome says about its server.
func (b *Batch) note(o Outcome) {
	switch o.kind {
	case done:
		b.h.works()
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
		b.h.complete(b.entries[i:i+n], worker.OK)
	}
	if b.left -= n; b.left == 0 {
		close(b.resolved)
	}
}

// resolveRest resolves all that have no outcome, by runs. The lock is held.
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

// result is what became of the messages of an attempt that were not done.
type result struct {
	retry    *Batch // to be sent again; nil: none
	after    time.Duration
	why      error
	halves   []entry   // all that is to be sent again, in halves
	refusals []refusal // by the server
	unfit    []refusal
}

// result sorts the messages of an attempt that has ended. after and why are the longest wait
// and the first reason of those that are to be sent again. The lock is held.
func (b *Batch) result() (r result) {
	var left []entry
	halves := false
	for i, o := range b.outcomes {
		switch e := b.entries[i]; o.kind {
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
		r.retry = b.h.batch(b.ID, left) // to the server it is the same batch
	} else {
		r.retry = b.h.newBatch(left)
	}
	r.retry.Attempt = b.Attempt
	return r
}

// halve makes two batches of a part of b.
func (b *Batch) halve(part []entry) (first, second *Batch) {
	middle := len(part) / 2
	return b.h.newBatch(part[:middle:middle]), b.h.newBatch(part[middle:])
}

// refusal is a message that is refused.
type refusal struct {
	entry
	code worker.Code
}
