package kafka

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordBatch is a record batch as it is sent and stored: version 2, the one with sequence numbers
// (https://kafka.apache.org/documentation/#recordbatch). It is encoded once, and every attempt to
// send it sends the same bytes, except under a new epoch.
type recordBatch struct {
	messages []int32  // indexes in the kit's batch, in order
	bytes    []byte   // header and records
	size     int      // of bytes before compression; valid once finished
	sequence sequence // that bytes has
	sealed   bool     // bytes has a sequence and a checksum
}

// sequence is what a broker recognizes a record batch by, within a partition.
type sequence struct {
	producer int64
	epoch    int16
	first    int32 // number of the first record
}

// Offsets in the header.
const (
	atLength    = 8  // int32, of what follows
	atLeader    = 12 // int32, epoch of the leader; -1: unknown
	atMagic     = 16
	atChecksum  = 17 // of what follows
	atAttribute = 21 // int16, the codec
	atLastDelta = 23 // int32
	atFirstTime = 27 // int64, milliseconds since 1970
	atMaxTime   = 35
	atProducer  = 43 // int64
	atEpoch     = 51 // int16
	atSequence  = 53 // int32
	atCount     = 57 // int32
	headerSize  = 61
)

// recordOverhead is the most that a record adds to its key, value and id: 6 numbers of up to 5
// bytes, attributes, and the header's name with its length.
const recordOverhead = 6*5 + 1 + 1 + len(idHeader) + 1

// idHeader is the name of the header with the message's permanent identifier.
const idHeader = "id"

// reset makes the batch empty.
func (r *recordBatch) reset() {
	r.messages, r.sealed = r.messages[:0], false
	r.bytes = append(r.bytes[:0], make([]byte, headerSize)...)
}

// memory returns how much memory the batch has, in bytes.
func (r *recordBatch) memory() int { return cap(r.bytes) + 4*cap(r.messages) }

// grow makes room for n bytes. Unlike append, it makes no more than maxBatch of it if that is enough.
func (r *recordBatch) grow(n int) {
	if need := len(r.bytes) + n; need > cap(r.bytes) {
		r.bytes = append(make([]byte, 0, max(need, min(2*cap(r.bytes), maxBatch))), r.bytes...)
	}
}

// add appends the record of the i-th message. A nil key is none, and an empty id, too.
func (r *recordBatch) add(i int, key, value, id []byte) {
	delta := len(r.messages)
	size := 3 + varintSize(delta) + varintSize(len(value)) + len(value)
	if key == nil {
		size++
	} else {
		size += varintSize(len(key)) + len(key)
	}
	if len(id) > 0 {
		size += 1 + len(idHeader) + varintSize(len(id)) + len(id)
	}
	r.grow(varintSize(size) + size)
	b := binary.AppendVarint(r.bytes, int64(size))
	b = append(b, 0, 0) // attributes, time after the first one's
	b = binary.AppendVarint(b, int64(delta))
	if key == nil {
		b = append(b, 1) // -1
	} else {
		b = binary.AppendVarint(b, int64(len(key)))
		b = append(b, key...)
	}
	b = binary.AppendVarint(b, int64(len(value)))
	b = append(b, value...)
	if len(id) == 0 {
		b = append(b, 0)
	} else {
		b = append(b, 2, 2*byte(len(idHeader))) // one header
		b = append(b, idHeader...)
		b = binary.AppendVarint(b, int64(len(id)))
		b = append(b, id...)
	}
	r.bytes = b
	r.messages = append(r.messages, int32(i))
}

// varintSize returns the size of n as a zigzag varint.
func varintSize(n int) int { return (bits.Len64(uint64(n)<<1|1) + 6) / 7 }

// finish completes the batch, except for its sequence and checksum. A nil compressor is none.
// scratch is memory for it.
func (r *recordBatch) finish(now time.Time, c kgo.Compressor, scratch *bytes.Buffer) {
	codec := kgo.CodecNone
	r.size = len(r.bytes)
	if c != nil {
		scratch.Reset()
		packed, used := c.Compress(scratch, r.bytes[headerSize:])
		if used > kgo.CodecNone && len(packed) < len(r.bytes)-headerSize {
			r.bytes = append(r.bytes[:headerSize], packed...)
			codec = used
		}
		if scratch.Cap() > 2*maxBatch {
			*scratch = bytes.Buffer{}
		}
	}
	w, be := r.bytes, binary.BigEndian
	be.PutUint64(w, 0) // offset of the first record, which the broker sets
	be.PutUint32(w[atLength:], uint32(len(w)-atLeader))
	be.PutUint32(w[atLeader:], ^uint32(0))
	w[atMagic] = 2
	be.PutUint16(w[atAttribute:], uint16(codec))
	be.PutUint32(w[atLastDelta:], uint32(len(r.messages)-1))
	be.PutUint64(w[atFirstTime:], uint64(now.UnixMilli()))
	be.PutUint64(w[atMaxTime:], uint64(now.UnixMilli()))
	be.PutUint32(w[atCount:], uint32(len(r.messages)))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal sets the sequence and the checksum, and returns the batch as it is sent. No request may be in
// progress with the batch. A sequence without a producer ID panics: the batch could be stored twice.
func (r *recordBatch) seal(s sequence) []byte {
	if s.producer < 0 {
		panic("kafka: record batch without a producer ID")
	}
	if r.sealed && r.sequence == s {
		return r.bytes
	}
	w, be := r.bytes, binary.BigEndian
	be.PutUint64(w[atProducer:], uint64(s.producer))
	be.PutUint16(w[atEpoch:], uint16(s.epoch))
	be.PutUint32(w[atSequence:], uint32(s.first))
	be.PutUint32(w[atChecksum:], crc32.Checksum(w[atAttribute:], castagnoli))
	r.sequence, r.sealed = s, true
	return w
}
