package ws

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// kinds remembers which messages in flight came as text: an ack is of the same kind.
// Most feeds send one kind only; until both have come nothing is kept of any message.
type kinds struct {
	seen kindSet
	size int      // messages that may be in flight
	text []uint64 // once both were seen: a bit a message, by arrival number
}

// kindSet is a set of auxText's values.
type kindSet uint8

const (
	binaryOnly kindSet = 1 << 0
	textOnly   kindSet = 1 << auxText
	both               = binaryOnly | textOnly
)

// note takes messages in order of arrival, of the kinds in has.
func (k *kinds) note(msgs []wire.Msg, has kindSet) {
	if len(msgs) == 0 || k.size == 0 || k.seen|has != both {
		k.seen |= has
		return
	}
	if k.text == nil {
		k.text = make([]uint64, 1<<bits.Len(uint(k.size-1)>>6))
		if k.seen == textOnly {
			for i := range k.text {
				k.text[i] = 1<<64 - 1
			}
		}
	}
	k.seen = both
	for i := range msgs {
		word, bit := &k.text[msgs[i].Seq>>6&uint64(len(k.text)-1)], uint64(1)<<(msgs[i].Seq&63)
		*word &^= bit
		if msgs[i].Aux&auxText != 0 {
			*word |= bit
		}
	}
}

// run is the kind of message seq, and how many from it on, at most n, are of that kind
// for certain.
func (k *kinds) run(seq uint64, n int) (text bool, length int) {
	if k.seen != both {
		return k.seen == textOnly, n
	}
	return k.text[seq>>6&uint64(len(k.text)-1)]>>(seq&63)&1 != 0, 1
}

// AppendAcks appends a frame for each ack.
func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	if !c.p.acks(code) {
		return dst
	}
	for n > 0 {
		text, k := c.kinds.run(seq, n)
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
	dst = c.p.ack.Append(openFrame(dst), seq, uint16(code), nil)
	op := opBinary
	if text {
		op = dataOp(dst[start+shortHead:])
	}
	return sealFrame(dst, start, op)
}

// counted is how many bytes an ack may have to be made by appendCounting.
const counted = 16

// appendCounting appends frames of acks that are short and differ in a decimal number
// alone, and returns how many: from one to the next a digit is changed in place, and two
// words are masked.
func (c *conn) appendCounting(dst []byte, seq uint64, n int, code worker.Code, text bool) ([]byte, int) {
	b, first, last := c.p.ack.AppendCounting(c.scratch[:0], seq, uint16(code))
	c.scratch = b
	size := len(b)
	if last < first || size > counted {
		return dst, 0
	}
	var payload [counted]byte
	copy(payload[:], b)
	op := opBinary
	if text {
		op = dataOp(b)
	}
	frame := shortHead + size
	at := len(dst)
	dst = slices.Grow(dst, n*frame+counted)[:at+n*frame+counted]
	keys := uint64(0)
	for i := range n {
		if i&1 == 0 {
			keys = rand.Uint64()
		} else {
			keys >>= 32
		}
		key := uint64(uint32(keys))
		key |= key << 32
		f := dst[at : at+shortHead+counted : at+shortHead+counted]
		f[0], f[1] = finBit|byte(op), maskBit|byte(size)
		binary.LittleEndian.PutUint32(f[2:], uint32(key))
		binary.LittleEndian.PutUint64(f[shortHead:], binary.LittleEndian.Uint64(payload[:])^key)
		binary.LittleEndian.PutUint64(f[shortHead+8:], binary.LittleEndian.Uint64(payload[8:])^key)
		at += frame
		d := last
		for ; d >= first && payload[d] == '9'; d-- {
			payload[d] = '0'
		}
		if d < first { // the next has a digit more
			return dst[:at], i + 1
		}
		payload[d]++
	}
	return dst[:at], n
}
