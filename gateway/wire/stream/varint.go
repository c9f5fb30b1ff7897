package stream

import "encoding/binary"

// varints frames messages behind their length as a protobuf varint: groups of
// seven bits, the lowest first, the high bit set on all bytes but the last. A
// length may be written with more groups than it needs, as protobuf allows.
type varints struct {
	max int // bytes of a message
}

func (f *varints) decode(t *taker, buf []byte) *fault {
	for !t.full() {
		rest := buf[t.at:]
		if len(rest) == 0 {
			return nil
		}
		length, size := uint64(rest[0]), 1
		if length >= 0x80 {
			length, size = binary.Uvarint(rest)
			if size == 0 && len(rest) >= binary.MaxVarintLen64 || size < 0 {
				return badLength("its length varint has more than 64 bits")
			}
			if size == 0 {
				return nil
			}
		}
		if length > uint64(f.max) {
			return tooLarge("it has %d bytes, the maximum is %d", length, f.max)
		}
		end := size + int(length)
		if end > len(rest) {
			t.need = end
			return nil
		}
		t.take(buf, t.at+size, int(length), t.at+end)
	}
	return nil
}
