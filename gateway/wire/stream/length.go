package stream

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"feedgate/gateway/wire"
)

// layout is the position and the meaning of a frame's length field:
//
//	bytes                   field
//	0 - offset-1            header
//	offset - offset+size-1  length field, unsigned
//	then                    the rest
//
// The length of the whole frame is length field + adjust + offset + size. Its message begins at
// strip.
type layout struct {
	offset, size, adjust, strip int
	little                      bool
}

// maxAdjust bounds adjust in either direction.
const maxAdjust = 1 << 31

// check checks how the fields fit each other and the longest message, whose frame is at most
// maxOverhead longer.
func (l layout) check(limit int) error {
	switch header := l.offset + l.size; {
	case l.size != 1 && l.size != 2 && l.size != 3 && l.size != 4 && l.size != 8:
		return errors.New("size is not 1, 2, 3, 4 or 8")
	case header > maxOverhead:
		return errors.New("the length field ends after the first 64 KiB")
	case l.strip > maxOverhead:
		return errors.New("strip is over 64 KiB")
	case header-l.strip > limit:
		return errors.New("a frame that is all header is a message over --max-message")
	}
	return nil
}

// lengths frames messages behind a length field. least <= length field + base <= least+span holds
// for the length of every frame.
type lengths struct {
	sized
	layout
	base        uint64 // two's complement
	least, span uint64

	// The length field is in the first size bytes of the 8 bytes at offset. These are read as one
	// word; a shift to the right isolates a big-endian field, a mask a little-endian one.
	shift uint
	mask  uint64
}

func newLengths(l layout, limit int) *lengths {
	least := max(l.offset+l.size, l.strip)
	f := &lengths{
		layout: l,
		base:   uint64(l.adjust + l.offset + l.size),
		least:  uint64(least), span: uint64(limit + l.strip - least),
		shift: uint(64 - 8*l.size), mask: ^uint64(0),
	}
	if l.little {
		f.mask, f.shift = ^uint64(0)>>f.shift, 0
	}
	return f
}

func (f *lengths) frames(msgs []wire.Msg, seq uint64, buf []byte, at int) (progress, *fault) {
	header := f.offset + f.size
	for k := range msgs {
		rest := buf[at:]
		if len(rest) < header {
			return progress{n: k, at: at, need: header}, nil
		}
		field := f.field(rest)
		frame := field + f.base
		// A field small enough for this cannot overflow the sum.
		if frame-f.least > f.span || field>>62 != 0 {
			return f.unusual(field, k, at)
		}
		if frame > uint64(len(rest)) {
			return progress{n: k, at: at, need: int(frame)}, nil
		}
		seq++
		msgs[k] = wire.Msg{Seq: seq, Off: uint32(at + f.strip), Len: uint32(int(frame) - f.strip)}
		at += int(frame)
	}
	return progress{n: len(msgs), at: at}, nil
}

// field returns the length field of the frame at the beginning of b.
func (f *lengths) field(b []byte) uint64 {
	var v uint64
	if b = b[f.offset:]; len(b) >= 8 {
		v = binary.LittleEndian.Uint64(b)
	} else {
		var tail [8]byte
		copy(tail[:], b)
		v = binary.LittleEndian.Uint64(tail[:])
	}
	if !f.little {
		v = bits.ReverseBytes64(v)
	}
	return v >> (f.shift & 63) & f.mask
}

// unusual handles the k-th frame, at offset at, whose length field is invalid or makes the frame
// longer than the limit. Its arithmetic does not wrap around.
func (f *lengths) unusual(field uint64, k, at int) (progress, *fault) {
	p := progress{n: k, at: at}
	base := f.adjust + f.offset + f.size
	frame, carry := bits.Add64(field, uint64(max(base, 0)), 0)
	if carry != 0 {
		return p, badLength("length field %d makes a frame length of more than 64 bits", field)
	}
	if base < 0 {
		if field < uint64(-base) {
			return p, badLength("length field %d makes a frame of %d bytes", field, int64(field)+int64(base))
		}
		frame = field - uint64(-base)
	}
	if frame < f.least {
		return p, badLength("length field %d makes a frame of %d bytes, the least is %d", field, frame, f.least)
	}
	p.over, p.lead, p.size = true, f.strip, frame-uint64(f.strip)
	return p, nil
}
