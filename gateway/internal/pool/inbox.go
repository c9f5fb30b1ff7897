package pool

import (
	"sync/atomic"

	"feedgate/ring"
)

// Descriptors in the ring from the loop to a worker are 8-byte words. A run of
// messages with consecutive numbers and slots, in one slab, is two words and one
// for each message:
//
//	word 0   bits 0-31  slot of the first
//	         bits 32-46 slab, up to MaxSlabs
//	         bits 47-55 count, 1 to MaxRun, so that the word is not zero
//	         bits 56-63 tag
//	word 1   number (Seq) of the first
//	word 2-  offset<<32 | length of each message's data
//
// A run is contiguous: words of zero before the end of the ring are skipped. Runs make the ring
// cheap: each 64-byte line that one core writes and another reads is one cache-line transfer, and a
// message takes 8 bytes.
const (
	runWords = 2
	// MaxWords is the size of a run of one message, in words.
	MaxWords = runWords + 1
	// MaxRun is the most messages of one run.
	MaxRun = 1<<9 - 1
	// MaxSlabs is the most slabs of a table.
	MaxSlabs = 1 << 15
	// minInbox is enough for a run of one message at any position of the ring.
	minInbox = 8
)

// Inbox is the ring of descriptors from the loop to one worker.
type Inbox struct {
	ring *ring.SPSC[uint64]

	// Owned by the loop: messages committed so far.
	committed uint64

	_ [128]byte // two cache lines, as in package ring

	// Owned by the worker: the rest of the run that it is taking, left messages from cur on,
	// and the number of messages taken so far, which the loop reads.
	cur   Desc
	left  int
	taken atomic.Uint64
}

func newInbox(entries int) *Inbox {
	return &Inbox{ring: ring.NewSPSC[uint64](max(entries, minInbox))}
}

// Cap returns the size of the ring, in words.
func (b *Inbox) Cap() int { return b.ring.Cap() }

// Len returns the number of words in use. Any goroutine may call it.
func (b *Inbox) Len() int { return b.ring.Len() }

// Messages returns the number of messages that the worker has not taken. Loop only.
func (b *Inbox) Messages() int { return int(b.committed - b.taken.Load()) }

// Reserve returns space for the spans of a run of up to n messages, at most MaxRun; none if the
// ring is full. Loop only.
func (b *Inbox) Reserve(n int) []uint64 {
	words := b.ring.Reserve(min(n, MaxRun) + runWords)
	if len(words) > runWords {
		return words[runWords:]
	}
	if end := b.ring.ToEnd(); end <= runWords && len(words) == end {
		clear(words)
		b.ring.Commit(end)
		words = b.ring.Reserve(min(n, MaxRun) + runWords)
	}
	if len(words) <= runWords {
		return nil
	}
	return words[runWords:]
}

// Commit adds a run: first, and the messages after it, whose n spans were written to the space of
// the last Reserve. The worker sees them after Publish. Loop only.
func (b *Inbox) Commit(first Desc, n int) {
	head := b.ring.Reserve(runWords)
	head[0] = uint64(first.Slot) | uint64(first.Slab)<<32 | uint64(n)<<47 | uint64(first.Tag)<<56
	head[1] = first.Seq
	b.ring.Commit(runWords + n)
	b.committed += uint64(n)
}

// Publish makes the committed runs visible to the worker, which may have to be woken. Loop only.
func (b *Inbox) Publish() { b.ring.Publish() }

// fit returns how many of the next messages of one run, at most limit, have up to size bytes in
// all; at least least, unless the ring is empty. It subtracts their bytes from size.
func (b *Inbox) fit(limit int, size *int, least int) int {
	if b.left == 0 && !b.header() {
		return 0
	}
	n := 0
	for _, at := range b.ring.Peek()[:min(b.left, limit)] {
		length := int(uint32(at))
		if length > *size && n >= least {
			break
		}
		*size -= length
		n++
	}
	return n
}

// next takes the next messages, at most limit and of one run; none if the ring is empty. Their
// spans are valid until release.
func (b *Inbox) next(limit int) run {
	if b.left == 0 && !b.header() {
		return run{}
	}
	n := min(b.left, limit)
	r := run{b.cur, b.ring.Peek()[:n]}
	b.ring.Take(n)
	b.left -= n
	b.cur.Seq += uint64(n)
	b.cur.Slot += uint32(n)
	b.taken.Store(b.taken.Load() + uint64(n))
	return r
}

// header takes the header of the next run. It returns false if the ring is empty.
func (b *Inbox) header() bool {
	words := b.ring.Peek()
	for len(words) > 0 && words[0] == 0 {
		b.ring.Take(1)
		words = b.ring.Peek()
	}
	if len(words) == 0 {
		return false
	}
	b.cur, b.left = runHeader(words)
	b.ring.Take(runWords)
	return true
}

// runHeader decodes the header of the run that words begin with.
func runHeader(words []uint64) (first Desc, n int) {
	w := words[0]
	first = Desc{Seq: words[1], Slot: uint32(w), Slab: uint16(w >> 32 & (MaxSlabs - 1)), Tag: uint8(w >> 56)}
	return first, int(w >> 47 & MaxRun)
}

// empty reports whether there is no message. It is the worker's second check before parking.
func (b *Inbox) empty() bool { return b.left == 0 && b.ring.Empty() }

func (b *Inbox) release() { b.ring.Release() }
