package delivery

import "feedgate/worker/offheap"

// keptAcks is rendered acks that wait for their turn, in chunks of memory outside of Go's heap,
// in the order in which they came. A chunk is given back once all its acks are gone.
//
// Invariant: each chunk in use has acks, and waiting is the sum of their sizes.
type keptAcks struct {
	memory offheap.Memory
	size   int    // of the usual chunk, bytes
	slots  uint64 // of the window, a power of two: those in use differ in their last bits

	refs   []ackRef   // by slot & (slots-1); nil: no ack had to wait so far
	chunks []ackChunk // by ackRef.chunk-1
	unused []uint32   // numbers of chunks without memory
	cur    uint32     // number of the chunk that is being filled; 0: none
	spare  []offheap.Block

	waiting int64 // bytes of chunks in use
}

// ackRef is where the ack of a slot lies.
type ackRef struct {
	chunk     uint32 // its number, from 1; 0: the slot has no ack here
	off, size uint32
}

type ackChunk struct {
	offheap.Block
	filled int
	open   int // acks in it
}

const (
	// ackChunkSize is the size of the usual chunk at most, in bytes.
	ackChunkSize = 64 << 10
	// ackSpares is how many free chunks are kept.
	ackSpares = 4
)

// init sets up for a window of slots, a power of two, with chunks of up to most bytes; 0: the usual.
func (k *keptAcks) init(memory offheap.Memory, most int, slots uint64) {
	if memory == nil {
		memory = offheap.Default
	}
	k.memory, k.size, k.slots = memory, ackChunkSize, slots
	if most > 0 {
		k.size = min(k.size, most)
	}
}

// add copies the ack of a slot that has none here.
func (k *keptAcks) add(slot uint64, ack []byte) {
	if len(ack) == 0 {
		return
	}
	if k.refs == nil {
		k.refs = make([]ackRef, k.slots)
	}
	number := k.chunkFor(len(ack))
	c := &k.chunks[number-1]
	at := c.filled
	c.filled += copy(c.Bytes()[at:], ack)
	c.open++
	k.refs[slot&(k.slots-1)] = ackRef{number, uint32(at), uint32(len(ack))}
}

// chunkFor is the number of a chunk with room for n bytes more.
func (k *keptAcks) chunkFor(n int) uint32 {
	if n > k.size {
		return k.open(offheap.AllocBlock(k.memory, n))
	}
	if k.cur != 0 {
		c := &k.chunks[k.cur-1]
		if len(c.Bytes())-c.filled >= n {
			return k.cur
		}
	}
	if last := len(k.spare) - 1; last >= 0 {
		b := k.spare[last]
		k.spare = k.spare[:last]
		k.cur = k.open(b)
	} else {
		k.cur = k.open(offheap.AllocBlock(k.memory, k.size))
	}
	return k.cur
}

// open takes a chunk into use.
func (k *keptAcks) open(b offheap.Block) uint32 {
	k.waiting += int64(len(b.Bytes()))
	if last := len(k.unused) - 1; last >= 0 {
		number := k.unused[last]
		k.unused = k.unused[:last]
		k.chunks[number-1] = ackChunk{Block: b}
		return number
	}
	k.chunks = append(k.chunks, ackChunk{Block: b})
	return uint32(len(k.chunks))
}

// of is the ack of a slot, valid until drop; nil: it has none here.
func (k *keptAcks) of(slot uint64) []byte {
	if k.refs == nil {
		return nil
	}
	r := k.refs[slot&(k.slots-1)]
	if r.chunk == 0 {
		return nil
	}
	return k.chunks[r.chunk-1].Bytes()[r.off : r.off+r.size]
}

// drop forgets the ack of a slot, if it has one here.
func (k *keptAcks) drop(slot uint64) {
	if k.refs == nil {
		return
	}
	r := &k.refs[slot&(k.slots-1)]
	if r.chunk == 0 {
		return
	}
	number := r.chunk
	*r = ackRef{}
	c := &k.chunks[number-1]
	if c.open--; c.open == 0 {
		k.close(number)
	}
}

// close puts a chunk without acks out of use.
func (k *keptAcks) close(number uint32) {
	c := &k.chunks[number-1]
	k.waiting -= int64(len(c.Bytes()))
	if len(c.Bytes()) == k.size && len(k.spare) < ackSpares {
		c.Recycle()
		k.spare = append(k.spare, c.Block)
	} else {
		c.Free()
	}
	*c = ackChunk{}
	k.unused = append(k.unused, number)
	if number == k.cur {
		k.cur = 0
	}
}

// bytes is the memory of all chunks.
func (k *keptAcks) bytes() int64 { return k.waiting + int64(len(k.spare)*k.size) }

// reset drops all acks.
func (k *keptAcks) reset() {
	if k.waiting == 0 {
		return
	}
	clear(k.refs)
	for i := range k.chunks {
		if k.chunks[i].open > 0 {
			k.close(uint32(i) + 1)
		}
	}
}

// free resets, and gives all memory back.
func (k *keptAcks) free() {
	k.reset()
	for _, b := range k.spare {
		b.Free()
	}
	k.spare = nil
}
