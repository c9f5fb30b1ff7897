package ws

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// kinds remembers which messages in flight arrived as text: an ack has the kind of its message.
// Most feeds use only one kind; until both have been seen, nothing is stored per message.
type kinds struct {
	seen     kindSet
	size     int      // most messages in flight
	textBits []uint64 // once both have been seen: one bit per message, by arrival number
}

// kindSet is a set of data opcodes, one bit each.
type kindSet uint8

const (
	textOnly   = kindSet(opText)
	binaryOnly = kindSet(opBinary)
	both       = textOnly | binaryOnly
)

// record adds messages in arrival order; has is the set of their kinds.
func (k *kinds) record(msgs []wire.Msg, has kindSet) {
	if len(msgs) == 0 {
		return
	}
	if k.size == 0 || k.seen|has != both {
		k.seen |= has
		return
	}
	if k.textBits == nil {
		k.textBits = make([]uint64, 1<<bits.Len(uint(k.size-1)>>6))
		if k.seen == textOnly {
			for i := range k.textBits {
				k.textBits[i] = 1<<64 - 1
			}
		}
	}
	k.seen = both
	for i := range msgs {
		word, bit := &k.textBits[msgs[i].Seq>>6&uint64(len(k.textBits)-1)], uint64(1)<<(msgs[i].Seq&63)
		*word &^= bit
		if msgs[i].Tag&textTag != 0 {
			*word |= bit
		}
	}
}

// kindsOf returns the kinds of messages.
func kindsOf(msgs []wire.Msg) (has kindSet) {
	for i := range msgs {
		if msgs[i].Tag&textTag != 0 {
			has |= textOnly
		} else {
			has |= binaryOnly
		}
	}
	return has
}

// at returns the kind of message seq, and for how many messages from it on, at most n, that kind
// is certain.
func (k *kinds) at(seq uint64, n int) (text bool, length int) {
	if k.seen != both {
		return k.seen == textOnly, n
	}
	return k.textBits[seq>>6&uint64(len(k.textBits)-1)]>>(seq&63)&1 != 0, 1
}

// AppendAcks appends a frame for each ack.
func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	if !c.p.ack.Acks(code) {
		return dst
	}
	for n > 0 {
		text, k := c.kinds.at(seq, n)
		var done int
		if dst, done = c.appendCounting(dst, seq, k, code, text); done == 0 {
			for ; done < k; done++ {
				dst = c.appendOne(dst, seq+uint64(done), code, text)
			}
		}
		seq += uint64(done)
		n -= done
	}
	return dst
}

func (c *conn) appendOne(dst []byte, seq uint64, code worker.Code, text bool) []byte {
	start := len(dst)
	dst = c.p.ack.Append(openFrame(dst), worker.Message{Seq: seq}, uint16(code))
	op := opBinary
	if text {
		op = dataOp(dst[start+shortHead:])
	}
	return sealFrame(dst, start, op)
}

// maxCounting is the longest ack that appendCounting makes, in bytes.
const maxCounting = 16

// appendCounting appends frames of acks that are short and differ only in a decimal number, and
// returns how many. From one to the next a digit changes, and two words are masked.
func (c *conn) appendCounting(dst []byte, seq uint64, n int, code worker.Code, text bool) ([]byte, int) {
	b, first, last := c.p.ack.AppendCounting(c.scratch[:0], seq, uint16(code))
	c.scratch = b
	size := len(b)
	if last < first || size > maxCounting {
		return dst, 0
	}
	var payload [maxCounting]byte
	copy(payload[:], b)
	op := opBinary
	if text {
		op = dataOp(b)
	}
	run := countingRun{frame: shortHead + size, head: uint64(finBit|byte(op)) | uint64(maskBit|byte(size))<<8}
	run.stepLo, run.stepHi = uint64(1)<<(8*last), uint64(0)
	if last >= 8 {
		run.stepLo, run.stepHi = 0, 1<<(8*(last-8))
	}
	at, end := len(dst), len(dst)+n*run.frame
	dst = slices.Grow(dst, end-at+maxCounting)[:end+maxCounting]
	for at < end {
		run.lo, run.hi = binary.LittleEndian.Uint64(payload[:]), binary.LittleEndian.Uint64(payload[8:])
		left := int('9'-payload[last]) + 1
		keys := c.keys.take(min(left, (end-at)/run.frame))
		run.put(dst[at:], keys)
		made := len(keys) / keySize
		at += made * run.frame
		if made < left {
			payload[last] += byte(made)
			continue
		}
		payload[last] = '9'
		if !carry(payload[first : last+1]) { // the next has a digit more
			break
		}
	}
	return dst[:at], n - (end-at)/run.frame
}

// countingRun is a run of frames whose payloads, of up to two words, differ only in one byte,
// which increases by one. It is increased in the words: if it were just stored, the processor
// would have to wait when loading its word.
type countingRun struct {
	frame          int    // length of a frame in bytes
	head           uint64 // the header, which the masking key follows
	lo, hi         uint64 // payload of the first frame
	stepLo, stepHi uint64
}

// put writes a frame for each of keys to dst, which must have maxCounting spare bytes.
func (r *countingRun) put(dst, keys []byte) {
	frame, head, lo, hi, stepLo, stepHi := r.frame, r.head, r.lo, r.hi, r.stepLo, r.stepHi
	for len(keys) >= keySize && len(dst) >= shortHead+maxCounting {
		key := uint64(binary.LittleEndian.Uint32(keys))
		key |= key << 32
		binary.LittleEndian.PutUint64(dst, key<<16|head)
		binary.LittleEndian.PutUint64(dst[shortHead:], lo^key)
		binary.LittleEndian.PutUint64(dst[shortHead+8:], hi^key)
		lo, hi = lo+stepLo, hi+stepHi
		keys, dst = keys[keySize:], dst[frame:]
	}
}

// carry increments a decimal number. It returns false if that takes one more digit.
func carry(digits []byte) bool {
	for d := len(digits) - 1; d >= 0; d-- {
		if digits[d] < '9' {
			digits[d]++
			return true
		}
		digits[d] = '0'
	}
	return false
}
