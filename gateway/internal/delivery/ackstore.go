package delivery

import "feedgate/worker/offheap"

// ackStore holds rendered acks until it is their turn. They are in chunks of memory outside Go's
// heap, in the order in which they were added. A chunk is freed with its last ack.
//
// Invariant: each chunk in use holds an ack, and waiting is the sum of the sizes of these chunks.
type ackStore struct {
	memory offheap.Memory
	size   int    // of a regular chunk, in bytes
	slots  uint64 // size of the window, a power of two: slots in use differ modulo slots

	refs   []ackRef   // by slot & (slots-1); nil until the first ack is added
	chunks []ackChunk // by ackRef.chunk-1
	unused []uint32   // numbers of chunks without memory
	cur    uint32     // number of the chunk being filled; 0: none
	spare  []offheap.Block

	waiting int64 // bytes of chunks in use
}

// ackRef locates the ack of a slot.
type ackRef struct {
	chunk     uint32 // number of the chunk, from 1; 0: the store has no ack for the slot
	off, size uint32
}

type ackChunk struct {
	offheap.Block
	filled int
	count  int // acks in it
}

const (
	// ackChunkSize is the largest size of a regular chunk, in bytes.
	ackChunkSize = 64 << 10
	// maxSpareChunks is how many free chunks are kept for reuse.
	maxSpareChunks = 4
)

// init prepares the store for a window of slots, a power of two. maxChunk limits the size of a
// regular chunk, in bytes; 0: ackChunkSize does.
func (s *ackStore) init(memory offheap.Memory, maxChunk int, slots uint64) {
	if memory == nil {
		memory = offheap.Default
	}
	s.memory, s.size, s.slots = memory, ackChunkSize, slots
	if maxChunk > 0 {
		s.size = min(s.size, maxChunk)
	}
}

// add copies the ack of a slot that has none in the store.
func (s *ackStore) add(slot uint64, ack []byte) {
	if len(ack) == 0 {
		return
	}
	if s.refs == nil {
		s.refs = make([]ackRef, s.slots)
	}
	number := s.chunkFor(len(ack))
	c := &s.chunks[number-1]
	at := c.filled
	c.filled += copy(c.Bytes()[at:], ack)
	c.count++
	s.refs[slot&(s.slots-1)] = ackRef{number, uint32(at), uint32(len(ack))}
}

// chunkFor returns the number of a chunk with space for n more bytes.
func (s *ackStore) chunkFor(n int) uint32 {
	if n > s.size {
		return s.openChunk(offheap.AllocBlock(s.memory, n))
	}
	if s.cur != 0 {
		c := &s.chunks[s.cur-1]
		if len(c.Bytes())-c.filled >= n {
			return s.cur
		}
	}
	if last := len(s.spare) - 1; last >= 0 {
		b := s.spare[last]
		s.spare = s.spare[:last]
		s.cur = s.openChunk(b)
	} else {
		s.cur = s.openChunk(offheap.AllocBlock(s.memory, s.size))
	}
	return s.cur
}

// openChunk takes a chunk into use.
func (s *ackStore) openChunk(b offheap.Block) uint32 {
	s.waiting += int64(len(b.Bytes()))
	if last := len(s.unused) - 1; last >= 0 {
		number := s.unused[last]
		s.unused = s.unused[:last]
		s.chunks[number-1] = ackChunk{Block: b}
		return number
	}
	s.chunks = append(s.chunks, ackChunk{Block: b})
	return uint32(len(s.chunks))
}

// of returns the ack of a slot, valid until drop; nil if the store has none.
func (s *ackStore) of(slot uint64) []byte {
	if s.refs == nil {
		return nil
	}
	r := s.refs[slot&(s.slots-1)]
	if r.chunk == 0 {
		return nil
	}
	return s.chunks[r.chunk-1].Bytes()[r.off : r.off+r.size]
}

// drop removes the ack of a slot, if there is one.
func (s *ackStore) drop(slot uint64) {
	if s.refs == nil {
		return
	}
	r := &s.refs[slot&(s.slots-1)]
	if r.chunk == 0 {
		return
	}
	number := r.chunk
	*r = ackRef{}
	c := &s.chunks[number-1]
	if c.count--; c.count == 0 {
		s.closeChunk(number)
	}
}

// closeChunk takes a chunk without acks out of use.
func (s *ackStore) closeChunk(number uint32) {
	c := &s.chunks[number-1]
	s.waiting -= int64(len(c.Bytes()))
	if len(c.Bytes()) == s.size && len(s.spare) < maxSpareChunks {
		c.Recycle()
		s.spare = append(s.spare, c.Block)
	} else {
		c.Free()
	}
	*c = ackChunk{}
	s.unused = append(s.unused, number)
	if number == s.cur {
		s.cur = 0
	}
}

// bytes returns the memory of all chunks, in bytes.
func (s *ackStore) bytes() int64 { return s.waiting + int64(len(s.spare)*s.size) }

// reset drops all acks.
func (s *ackStore) reset() {
	if s.waiting == 0 {
		return
	}
	clear(s.refs)
	for i := range s.chunks {
		if s.chunks[i].count > 0 {
			s.closeChunk(uint32(i) + 1)
		}
	}
}

// free drops all acks and frees all memory.
func (s *ackStore) free() {
	s.reset()
	for _, b := range s.spare {
		b.Free()
	}
	s.spare = nil
}
