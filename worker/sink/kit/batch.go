package kit

import (
	"cmp"
	"errors"
	"slices"
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
)

// errAgain is the reason of an outcome that gives none.
var errAgain = errors.New("no reason given")

// Done: the server has the message.
func Done() Outcome { return Outcome{kind: done} }

// Again: the message is sent again, after the backoff, or after what the server asks for if
// that is longer, up to --reconnect-max. The error says why, for the log and /ready.
func Again(after time.Duration, err error) Outcome {
	return Outcome{kind: again, after: after, err: err}
}

// Refused: the server will never take the message.
func Refused(code worker.Code) Outcome { return Outcome{kind: refused, code: code} }

// entry is a message that the handler has deferred.
type entry struct {
	m      worker.Message
	ticket worker.Ticket
	lane   *lane // nil: unordered
}

// Batch is messages that are sent together. The client has it until all are resolved.
type Batch struct {
	// ID numbers the batches of a worker, from 1. One that is sent again as a whole keeps it;
	// one without the messages that are done or refused by then gets another.
	ID uint64
	// Attempt counts the Sends of a batch, from 1.
	Attempt int

	h        *handler
	entries  []entry
	outcomes []Outcome     // by entry
	left     int           // not resolved yet
	split    bool          // Split was called
	resolved chan struct{} // closed when left is 0
}

func (h *handler) newBatch(entries []entry) *Batch {
	h.batches++
	return &Batch{ID: h.batches, h: h, entries: entries, outcomes: make([]Outcome, len(entries))}
}

// begin prepares another attempt.
func (b *Batch) begin() {
	b.Attempt++
	clear(b.outcomes)
	b.left, b.split, b.resolved = len(b.entries), false, make(chan struct{})
}

// Len is the number of messages.
func (b *Batch) Len() int { return len(b.entries) }

// At is the i-th message. Its data are valid until it is resolved.
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
	h := b.h
	if o.kind == done {
		h.works()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for k := i; k < i+n; k++ {
		if b.outcomes[k].kind != pending {
			panic("kit: message resolved twice")
		}
		b.outcomes[k] = o
	}
	if o.kind == done {
		h.complete(b.entries[i:i+n], worker.OK)
	}
	if b.left -= n; b.left == 0 {
		close(b.resolved)
	}
}

// ResolveAll sets the outcome of all messages.
func (b *Batch) ResolveAll(o Outcome) { b.Resolve(0, b.Len(), o) }

// Split resolves a batch that the server refused as a whole because of some of its messages:
// it is sent again in halves, one after the other, down to the messages that are refused
// alone, with code.
func (b *Batch) Split(code worker.Code) {
	if b.Len() == 1 {
		b.ResolveAll(Refused(code))
		return
	}
	b.h.mu.Lock()
	b.split = true
	b.h.mu.Unlock()
	b.ResolveAll(Outcome{kind: again})
}

// halves are the two batches that b becomes.
func (b *Batch) halves() (first, second *Batch) {
	middle := len(b.entries) / 2
	return b.h.newBatch(b.entries[:middle:middle]), b.h.newBatch(b.entries[middle:])
}

// outcome completes the refused messages of an attempt that has ended, unless nothing was
// ever accepted, and leaves those that are to be sent again. wait and why are the longest
// and the first of these.
func (b *Batch) outcome() (retry *Batch, refusals []refusal, wait time.Duration, why error) {
	left := slices.Clone(b.entries[:0])
	for i, o := range b.outcomes {
		switch o.kind {
		case refused:
			refusals = append(refusals, refusal{b.entries[i], o.code})
		case again:
			left = append(left, b.entries[i])
			wait = max(wait, o.after)
			why = cmp.Or(why, o.err, errAgain)
		}
	}
	switch len(left) {
	case 0:
		return nil, refusals, 0, nil
	case len(b.entries):
		return b, refusals, wait, why
	}
	attempt := b.Attempt
	retry = b.h.newBatch(left)
	retry.Attempt = attempt
	return retry, refusals, wait, why
}

// refusal is a message that the server refused.
type refusal struct {
	entry
	code worker.Code
}
