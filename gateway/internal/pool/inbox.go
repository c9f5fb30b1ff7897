package pool

import (
	"sync/atomic"
	"unsafe"

	"feedgate/ring"
)

// Descriptors in the ring from the loop to a worker are 8-byte words. A run is two words and one
// for each message:
//
//	word 0   bits 0-31  slot of the first message; with distances, what they count from
//	         bits 32-45 slab, up to MaxSlabs
//	         bit  46    1: distances follow
//	         bits 47-55 count, 1 to MaxRun, so that the word is not zero
//	         bits 56-63 tag
//	word 1   number (Seq) of the same
//	word 2-  offset<<32 | length of each message's data
//
// Without distances, the messages have consecutive numbers and slots. With distances, there are
// messages of other workers between them; each message's distance from the slot and the number in
// the header takes 16 bits, in as many words as they need after the last span.
//
// A run is contiguous: words of zero before the end of the ring are skipped. Runs make the ring
// cheap: each 64-byte line that one core writes and another reads is one cache-line transfer, and a
// message takes 8 or 10 bytes.
const (
	runWords = 2
	// MaxWords is the size of a run of one message, in words.
	MaxWords = runWords + 1
	// MaxRun is the most messages of one run.
	MaxRun = 1<<9 - 1
	// MaxSlabs is the most slabs of a table.
	MaxSlabs = 1 << 14
	// minInbox is enough for a run of one message at any position of the ring.
	minInbox = 8

	distancesFollow = 1 << 46
	// distancesPerWord is how many distances a word holds.
	distancesPerWord = 4
)

// Inbox is the ring of descriptors from the loop to one worker.
type Inbox struct {
	ring *ring.SPSC[uint64]

	// Owned by the loop: messages committed so far.
	committed uint64

	_ [128]byte // two cache lines, as in package ring

	// Owned by the worker: the run that it is taking, how many of its messages are left, and
	// how many messages were taken in all, which the loop reads.
	cur   header
	left  int
	taken atomic.Uint64
}

// header is the first two words of a run.
type header struct {
	base      Desc // of the first message or, with distances, what they count from; Off and Len are not used
	count     int
	scattered bool // it has distances
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
	if len(words) <= runWords && b.skipEnd(words) {
		words = b.ring.Reserve(min(n, MaxRun) + runWords)
	}
	if len(words) <= runWords {
		return nil
	}
	return words[runWords:]
}

// skipEnd skips words, the last reserved, if they are all that is left before the end of the ring.
func (b *Inbox) skipEnd(words []uint64) bool {
	if len(words) == 0 || len(words) != b.ring.ToEnd() {
		return false
	}
	clear(words)
	b.ring.Commit(len(words))
	return true
}

// Commit adds a run: first, and the messages after it, whose n spans were written to the space of
// the last Reserve. The worker sees them after Publish. Loop only.
func (b *Inbox) Commit(first Desc, n int) {
	b.commit(header{base: first, count: n}, b.ring.Reserve(runWords), runWords+n)
}

// commit writes the header of a run of n words.
func (b *Inbox) commit(h header, words []uint64, n int) {
	words[0] = uint64(h.base.Slot) | uint64(h.base.Slab)<<32 | uint64(h.count)<<47 | uint64(h.base.Tag)<<56
	if h.scattered {
		words[0] |= distancesFollow
	}
	words[1] = h.base.Seq
	b.ring.Commit(n)
	b.committed += uint64(h.count)
}

// Free returns how many messages, at most n, the next Add can add. Loop only.
func (b *Inbox) Free(n int) int {
	free := b.ring.Free(2 * (runWords + wordsFor(n)))
	atEnd := min(free, b.ring.ToEnd())
	return min(n, maxMessages(atEnd)+maxMessages(free-atEnd))
}

// wordsFor returns how many words the spans and distances of n messages take.
func wordsFor(n int) int { return n + distanceWords(n) }

func distanceWords(n int) int { return (n + distancesPerWord - 1) / distancesPerWord }

// maxMessages returns how many messages of a run with distances fit in a number of words.
func maxMessages(words int) int {
	if words < MaxWords {
		return 0
	}
	return max(1, (words-runWords)*distancesPerWord/(distancesPerWord+1))
}

// Add adds messages of a run, at most MaxRun and no more than are Free: those of spans at the distances,
// ascending, or, if distances is nil, all. base is the message at distance 0. The worker sees them after
// Publish. Loop only.
func (b *Inbox) Add(base Desc, spans []uint64, distances []uint16) {
	n := len(distances)
	if distances == nil {
		n = len(spans)
	}
	for from := 0; from < n; {
		words := b.ring.Reserve(runWords + wordsFor(n-from))
		k := min(n-from, maxMessages(len(words)))
		switch {
		case k == 0 && !b.skipEnd(words):
			panic("pool: more messages added than are free")
		case k == 0:
		case distances == nil:
			b.addConsecutive(words, base, spans, from, k)
		case k == 1:
			b.addConsecutive(words, base, spans, int(distances[from]), 1)
		default:
			b.addScattered(words, base, spans, distances[from:from+k])
		}
		from += k
	}
}

// addConsecutive writes a run of the n messages from a distance on to reserved words.
func (b *Inbox) addConsecutive(words []uint64, base Desc, spans []uint64, distance, n int) {
	copy(words[runWords:], spans[distance:distance+n])
	base.Seq += uint64(distance)
	base.Slot += uint32(distance)
	b.commit(header{base: base, count: n}, words, runWords+n)
}

// addScattered writes a run of the messages at the distances to reserved words.
func (b *Inbox) addScattered(words []uint64, base Desc, spans []uint64, distances []uint16) {
	n := len(distances)
	to := words[runWords : runWords+n]
	for i, d := range distances {
		to[i] = spans[d]
	}
	copy(distancesIn(words[runWords+n:]), distances)
	b.commit(header{base, n, true}, words, runWords+wordsFor(n))
}

// distancesIn returns the distances that words hold, or have space for. The same process writes and reads
// them, so the order of bytes does not matter.
func distancesIn(words []uint64) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(words))), distancesPerWord*len(words))
}

// Publish makes the committed runs visible to the worker, which may have to be woken. Loop only.
func (b *Inbox) Publish() { b.ring.Publish() }

// fit returns how many of the next messages of one run, at most limit, have up to size bytes in
// all; at least least, unless the ring is empty. It subtracts their bytes from size.
func (b *Inbox) fit(limit int, size *int, least int) int {
	if b.left == 0 && !b.takeHeader() {
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

// next takes the next messages, at most limit and of one run; none if the ring is empty. They are
// valid until release.
func (b *Inbox) next(limit int) run {
	if b.left == 0 && !b.takeHeader() {
		return run{}
	}
	words := b.ring.Peek()
	all := run{base: b.cur.base, spans: words[:b.left]}
	if done := b.cur.count - b.left; b.cur.scattered {
		all.distances = distancesIn(words[b.left:])[done:b.cur.count]
	} else {
		all.base.Seq += uint64(done)
		all.base.Slot += uint32(done)
	}
	n := min(b.left, limit)
	b.left -= n
	b.ring.Take(n)
	if b.left == 0 && b.cur.scattered {
		b.ring.Take(distanceWords(b.cur.count))
	}
	b.taken.Store(b.taken.Load() + uint64(n))
	return all.cut(n)
}

// takeHeader takes the header of the next run. It returns false if the ring is empty.
func (b *Inbox) takeHeader() bool {
	words := b.ring.Peek()
	for len(words) > 0 && words[0] == 0 {
		b.ring.Take(1)
		words = b.ring.Peek()
	}
	if len(words) == 0 {
		return false
	}
	b.cur = runHeader(words)
	b.left = b.cur.count
	b.ring.Take(runWords)
	return true
}

// runHeader decodes the header of the run that words begin with.
func runHeader(words []uint64) header {
	w := words[0]
	return header{
		base:      Desc{Seq: words[1], Slot: uint32(w), Slab: uint16(w >> 32 & (MaxSlabs - 1)), Tag: uint8(w >> 56)},
		count:     int(w >> 47 & MaxRun),
		scattered: w&distancesFollow != 0,
	}
}

// empty reports whether there is no message. It is the worker's second check before parking.
func (b *Inbox) empty() bool { return b.left == 0 && b.ring.Empty() }

func (b *Inbox) release() { b.ring.Release() }
