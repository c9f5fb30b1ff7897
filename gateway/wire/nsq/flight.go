package nsq

import (
	"encoding/binary"
	"math/bits"
	"time"

	"feedgate/gateway/wire"
)

// flight holds the ids of the messages in flight: decoded and not acked.
//
// Invariant: every pending number is above newest-size, so that a number's slot in a ring of that
// size is its own. The size follows Config.InFlight, which the loop respects.
type flight struct {
	mask     uint64 // size-1
	ids      []messageID
	attempts []uint16
	pending  []uint64 // one bit per message: it is not acked

	newest  uint64 // number of the last message
	grouped uint64 // the last number in a group
	groups  []group
}

// group is the messages that arrived between two calls of Tick.
type group struct {
	first, last uint64
	arrived     time.Duration // time of the Tick before they arrived
	fresh       time.Duration // time of the last TOUCH, or arrived
}

func newFlight(inFlight int) flight {
	size := max(64, 1<<bits.Len(uint(inFlight-1)))
	return flight{
		mask: uint64(size - 1),
		ids:  make([]messageID, size), attempts: make([]uint16, size), pending: make([]uint64, size/64),
	}
}

// framePlain fills msgs with the complete consecutive messages of at most limit bytes from
// buf[at] on, and returns their number and where they end. The caller adds them. head is how many
// bytes before its body belong to a message.
func (f *flight) framePlain(buf []byte, at int, limit uint64, head uint32, msgs []wire.Msg) (n, end int) {
	seq, mask, ids, attempts := f.newest, f.mask, f.ids, f.attempts
	for n < len(msgs) {
		rest := buf[at:]
		if len(rest) < messageHead {
			break
		}
		size := uint64(binary.BigEndian.Uint32(rest))
		body := size - minMessage
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

// setNext stores the id and attempts of the next message to be added.
func (f *flight) setNext(id messageID, attempts uint16) {
	at := (f.newest + 1) & f.mask
	f.ids[at], f.attempts[at] = id, attempts
}

// add adds the next n messages, whose ids are stored.
func (f *flight) add(n int) {
	for seq, last := f.newest+1, f.newest+uint64(n); seq <= last; {
		word, set, k := f.word(seq, last)
		*word |= set
		seq += k
	}
	f.newest += uint64(n)
}

// resolve marks n messages from seq on as acked. Their ids stay until they are overwritten.
func (f *flight) resolve(seq uint64, n int) {
	for last := seq + uint64(n) - 1; seq <= last; {
		word, set, k := f.word(seq, last)
		*word &^= set
		seq += k
	}
}

// word returns the word that holds the bit of message seq, and the bits in it of the first k
// messages from seq to last.
func (f *flight) word(seq, last uint64) (word *uint64, set, k uint64) {
	at := seq & f.mask
	k = min(last-seq+1, 64-at&63)
	return &f.pending[at>>6], ^uint64(0) >> (64 - k) << (at & 63), k
}

// firstPending returns the first message from seq to last that is not acked; 0: none.
func (f *flight) firstPending(seq, last uint64) uint64 {
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

// addGroup makes a group of the messages added since the last group.
func (f *flight) addGroup(arrived time.Duration) {
	if f.newest > f.grouped {
		f.groups = append(f.groups, group{f.grouped + 1, f.newest, arrived, arrived})
		f.grouped = f.newest
	}
}

// touch appends TOUCH for pending messages that arrived, or were last touched, at least half ago.
// It drops groups that arrived longest ago or longer, for which nsqd does not extend the timeout.
func (f *flight) touch(dst []byte, now, half, longest time.Duration) []byte {
	kept := f.groups[:0]
	for _, g := range f.groups {
		if now-g.fresh >= half {
			g.first = f.firstPending(g.first, g.last)
			if g.first == 0 || now-g.arrived >= longest {
				continue
			}
			for seq := g.first; seq != 0; seq = f.firstPending(seq+1, g.last) {
				dst = appendTouch(dst, &f.ids[seq&f.mask])
			}
			g.fresh = now
		}
		kept = append(kept, g)
	}
	f.groups = kept
	return dst
}
