package stream

import (
	"encoding/binary"

	"feedgate/gateway/wire"
)

// varints frames messages behind their length as a protobuf varint: groups of seven bits, lowest
// first, with the high bit set in all bytes but the last. As protobuf allows, a length may have
// more groups than it needs.
type varints struct {
	sized
	max int // longest message, in bytes
}

func (f *varints) frames(msgs []wire.Msg, seq uint64, buf []byte, at int) (progress, *fault) {
	for k := range msgs {
		rest := buf[at:]
		if len(rest) == 0 {
			return progress{n: k, at: at}, nil
		}
		length, size := uint64(rest[0]), 1
		if length >= 0x80 {
			length, size = binary.Uvarint(rest)
			if size < 0 || size == 0 && len(rest) >= binary.MaxVarintLen64 {
				return progress{n: k, at: at}, badLength("its length varint has more than 64 bits")
			}
			if size == 0 {
				return progress{n: k, at: at}, nil
			}
		}
		if length > uint64(f.max) {
			return progress{n: k, at: at, over: true, lead: size, size: length}, nil
		}
		end := size + int(length)
		if end > len(rest) {
			return progress{n: k, at: at, need: end}, nil
		}
		seq++
		msgs[k] = wire.Msg{Seq: seq, Off: uint32(at + size), Len: uint32(length)}
		at += end
	}
	return progress{n: len(msgs), at: at}, nil
}
