package ws

import (
	"encoding/binary"

	"feedgate/gateway/wire"
)

// decodePlain decodes the run of complete single-frame messages at in.Scan: nearly all of a feed.
// It stops before any other frame, and before a fault.
func (c *conn) decodePlain(buf []byte, in *wire.Input) {
	for c.decodeChunk(buf, in) {
	}
}

// decodeChunk decodes at most one batch, and reports whether there may be more.
func (c *conn) decodeChunk(buf []byte, in *wire.Input) bool {
	had := len(in.Msgs)
	free := in.Msgs[had:cap(in.Msgs)]
	framed, has, at, odd := framePlain(buf, in.Scan, c.p.limit, c.seq, free)
	n := framed
	if odd && !validText(buf[free[n-1].Off:][:free[n-1].Len]) {
		n, odd = n-1, false
		at = frameStart(&free[n])
	}
	kept := c.p.ignore.Drop(buf, free[:n], c.seq)
	c.seq += uint64(kept)
	if kept < framed {
		has = kindsOf(free[:kept])
	}
	c.kinds.record(free[:kept], has)
	in.Msgs = in.Msgs[:had+kept]
	in.AdvanceTo(at)
	return n > 0 && (odd || n == len(free) && kept < n)
}

// framePlain fills msgs with messages of one short frame each from buf[at] on. It returns how
// many, their kinds, and where it stopped. odd means that the last is text that is not ASCII and
// must still be checked; the others are valid. framePlain calls no function, which would spill
// its registers, and the trip counts of its inner loops do not depend on the exact length, which
// would mispredict.
func framePlain(buf []byte, at, limit int, seq uint64, msgs []wire.Msg) (n int, has kindSet, end int, odd bool) {
	const high = 0x8080808080808080
	for i := range msgs {
		rest := buf[at:]
		if len(rest) < 4 {
			break
		}
		first, size, head := rest[0], int(rest[1]), 2
		if first != finBit|byte(opText) && first != finBit|byte(opBinary) {
			break
		}
		if size >= length16 {
			size, head = int(binary.BigEndian.Uint16(rest[2:])), 4
			if rest[1] != length16 || size < length16 {
				break
			}
		}
		if size > limit || size > len(rest)-head {
			break
		}
		if b := rest[head : head+size]; first == finBit|byte(opText) {
			w := uint64(0)
			switch {
			case len(b) >= 32:
				for i := 0; i < len(b)-32; i += 32 {
					q := b[i : i+32 : i+32]
					w |= binary.LittleEndian.Uint64(q) | binary.LittleEndian.Uint64(q[8:]) |
						binary.LittleEndian.Uint64(q[16:]) | binary.LittleEndian.Uint64(q[24:])
				}
				q := (*[32]byte)(b[len(b)-32:])
				w |= binary.LittleEndian.Uint64(q[:]) | binary.LittleEndian.Uint64(q[8:]) |
					binary.LittleEndian.Uint64(q[16:]) | binary.LittleEndian.Uint64(q[24:])
			case len(b) >= 16:
				p, q := (*[16]byte)(b), (*[16]byte)(b[len(b)-16:])
				w = binary.LittleEndian.Uint64(p[:]) | binary.LittleEndian.Uint64(p[8:]) |
					binary.LittleEndian.Uint64(q[:]) | binary.LittleEndian.Uint64(q[8:])
			case len(b) >= 8:
				w = binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[len(b)-8:])
			default:
				for _, x := range b {
					w |= uint64(x)
				}
			}
			odd = w&high != 0
		}
		has |= kindSet(first)
		msgs[i] = wire.Msg{Seq: seq + uint64(i) + 1, Off: uint32(at + head), Len: uint32(size), Tag: first & textTag}
		at += head + size
		if n = i + 1; odd {
			break
		}
	}
	return n, has & both, at, odd
}

// frameStart returns the offset of the frame of a message from framePlain.
func frameStart(m *wire.Msg) int {
	if m.Len < length16 {
		return int(m.Off) - 2
	}
	return int(m.Off) - 4
}
