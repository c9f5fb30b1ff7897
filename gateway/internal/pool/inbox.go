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
// A run lies in one piece: before the end of the ring a word of zero is passed
// over. Runs are what makes the ring cheap. What one core writes and another reads
// costs them a cache line's way for every 64 bytes, and a message costs 8.
const (
	runWords = 2
	// MaxWords is what a message takes up that is a run of its own.
	MaxWords = runWords + 1
	// MaxRun is the most messages of one run.
	MaxRun = 1<<9 - 1
	// MaxSlabs is the most slabs of a table.
	MaxSlabs = 1 << 15
	// minInbox holds a run of one message wherever the ring's position stands.
	minInbox = 8
)

// Inbox is the ring of descriptors to one worker. The loop reserves, commits and
// publishes; the worker takes.
type Inbox struct {
	ring *ring.SPSC[uint64]

	// Loop's: messages committed so far.
	committed uint64

	_ [128]byte // two cache lines, as in package ring

	// Worker's: the run that it is in the middle of, and how many messages it has taken so
	// far, which the loop reads.
	cur   Desc
	left  int
	taken atomic.Uint64
}

func newInbox(entries int) *Inbox {
	return &Inbox{ring: ring.NewSPSC[uint64](max(entries, minInbox))}
}

// Cap is the number of words.
func (b *Inbox) Cap() int { return b.ring.Cap() }

// Len is the number of words that are taken. Any goroutine may ask.
func (b *Inbox) Len() int { return b.ring.Len() }

// Messages is the number of messages that the worker has not taken. Loop only.
func (b *Inbox) Messages() int { return int(b.committed - b.taken.Load()) }

// Reserve returns room for the spans of a run of up to n messages, at most
// MaxRun; none when the ring is full. Loop only.
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

// Commit says that n spans of the last Reserve are filled, of messages that
// follow first. The worker sees them after Publish. Loop only.
func (b *Inbox) Commit(first Desc, n int) {
	head := b.ring.Reserve(runWords)
	head[0] = uint64(first.Slot) | uint64(first.Slab)<<32 | uint64(n)<<47 | uint64(first.Tag)<<56
	head[1] = first.Seq
	b.ring.Commit(runWords + n)
	b.committed += uint64(n)
}

// Publish hands what was committed to the worker, who may have to be woken. Loop
// only.
func (b *Inbox) Publish() { b.ring.Publish() }

// fit is how many of the next messages of a run, at most limit, have up to size bytes in all,
// but at least least, unless the ring is empty. It takes their bytes off size.
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

// next is the next messages, at most limit of one run; none when the ring is
// empty. Their spans lie in the ring until release.
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

// runHeader is the first message of the run that words begin with, and the number of messages.
func runHeader(words []uint64) (first Desc, n int) {
	w := words[0]
	first = Desc{Seq: words[1], Slot: uint32(w), Slab: uint16(w >> 32 & (MaxSlabs - 1)), Tag: uint8(w >> 56)}
	return first, int(w >> 47 & MaxRun)
}

// empty is the worker's second look.
func (b *Inbox) empty() bool { return b.left == 0 && b.ring.Empty() }

func (b *Inbox) release() { b.ring.Release() }
