package nsq

import (
	"encoding/binary"
	"math/bits"
	"time"

	"feedgate/gateway/wire"
)

// flight is what is kept of the messages that are decoded and not acked.
//
// Invariant: every unsettled number is above newest-size, so that a number's place in a
// ring of size is its own. The size is that of Config.InFlight, which the loop keeps to.
type flight struct {
	mask     uint64 // size-1
	ids      []messageID
	attempts []uint16
	pending  []uint64 // a bit a message: it is not settled

	newest  uint64 // number of the last message
	grouped uint64 // the last that is in a group
	groups  []group
}

// group is the messages that arrived between two calls of Tick.
type group struct {
	first, last uint64
	arrived     time.Duration // of the Tick before
	fresh       time.Duration // arrived, or when they were last touched
}

func newFlight(inFlight int) flight {
	size := max(64, 1<<bits.Len(uint(inFlight-1)))
	return flight{
		mask: uint64(size - 1),
		ids:  make([]messageID, size), attempts: make([]uint16, size), pending: make([]uint64, size/64),
	}
}

// framePlain fills msgs with the whole messages of at most limit bytes that stand one
// behind the other from buf[at] on, and says how many there are and where they end.
// They are yet to be added. head is how many bytes before its body belong to a message.
func (f *flight) framePlain(buf []byte, at int, limit uint64, head uint32, msgs []wire.Msg) (n, end int) {
	seq, mask, ids, attempts := f.newest, f.mask, f.ids, f.attempts
	for n < len(msgs) {
		rest := buf[at:]
		if len(rest) < messageHead {
			break
		}
		size := uint64(binary.BigEndian.Uint32(rest))
		body := size - leastMessage
		if binary.BigEndian.Uint32(rest[sizeField:]) != frameMessage || body > limit || size+sizeField > uint64(len(rest)) {
			break
		}
		seq++
		ids[seq&mask] = messageID(rest[idAt:])
		attempts[seq&mask] = binary.BigEndian.Uint16(rest[attemptsAt:])
		msgs[n] = wire.Msg{Seq: seq, Off: uint32(at+messageHead) - head, Len: uint32(body) + head}
		at += int(size) + sizeField
		n++
	}
	return n, at
}

// note keeps what the message that is next to be added is called.
func (f *flight) note(id messageID, attempts uint16) {
	at := (f.newest + 1) & f.mask
	f.ids[at], f.attempts[at] = id, attempts
}

// add takes the next n messages, which are noted.
func (f *flight) add(n int) {
	for seq, last := f.newest+1, f.newest+uint64(n); seq <= last; {
		word, set, k := f.word(seq, last)
		*word |= set
		seq += k
	}
	f.newest += uint64(n)
}

// settle forgets n messages from seq on, but for what their acks are made of.
func (f *flight) settle(seq uint64, n int) {
	for last := seq + uint64(n) - 1; seq <= last; {
		word, set, k := f.word(seq, last)
		*word &^= set
		seq += k
	}
}

// word is where the bits of messages seq to last begin, and the first k of these, which
// are those in one word.
func (f *flight) word(seq, last uint64) (word *uint64, set, k uint64) {
	at := seq & f.mask
	k = min(last-seq+1, 64-at&63)
	return &f.pending[at>>6], ^uint64(0) >> (64 - k) << (at & 63), k
}

// unsettled is the first message from seq to last that is not settled; 0: all are.
func (f *flight) unsettled(seq, last uint64) uint64 {
	if size := f.mask + 1; f.newest >= size {
		seq = max(seq, f.newest-size+1)
	}
	for seq <= last {
		at := seq & f.mask
		if w := f.pending[at>>6] >> (at & 63); w != 0 {
			if seq += uint64(bits.TrailingZeros64(w)); seq <= last {
				return seq
			}
			return 0
		}
		seq += 64 - at&63
	}
	return 0
}

// gather makes a group of what was added since the last.
func (f *flight) gather(arrived time.Duration) {
	if f.newest > f.grouped {
		f.groups = append(f.groups, group{f.grouped + 1, f.newest, arrived, arrived})
		f.grouped = f.newest
	}
}

// touch appends TOUCH for what is not settled a time of half after it arrived or was
// last touched. What arrived longest ago is left: nsqd will not wait longer for that.
func (f *flight) touch(dst []byte, now, half, longest time.Duration) []byte {
	kept := f.groups[:0]
	for _, g := range f.groups {
		if now-g.fresh >= half {
			g.first = f.unsettled(g.first, g.last)
			if g.first == 0 || now-g.arrived >= longest {
				continue
			}
			for seq := g.first; seq != 0; seq = f.unsettled(seq+1, g.last) {
				dst = appendTouch(dst, &f.ids[seq&f.mask])
			}
			g.fresh = now
		}
		kept = append(kept, g)
	}
	f.groups = kept
	return dst
}
