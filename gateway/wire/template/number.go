package template

import (
	"encoding/binary"
	"strconv"
)

// form is how a number is written: as decimal text, or in binary with a width and a byte order.
type form uint8

const (
	decimal form = iota
	u8
	u16be
	u16le
	u32be
	u32le
	u64be
	u64le
)

// forms are the forms by name. A single byte has no byte order.
var forms = map[string]form{
	"u8": u8, "u8be": u8, "u8le": u8,
	"u16be": u16be, "u16le": u16le,
	"u32be": u32be, "u32le": u32le,
	"u64be": u64be, "u64le": u64le,
}

// append appends v, wrapped to the form's width.
func (f form) append(dst []byte, v uint64) []byte {
	switch f {
	case u8:
		return append(dst, byte(v))
	case u16be:
		return binary.BigEndian.AppendUint16(dst, uint16(v))
	case u16le:
		return binary.LittleEndian.AppendUint16(dst, uint16(v))
	case u32be:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	case u32le:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case u64be:
		return binary.BigEndian.AppendUint64(dst, v)
	case u64le:
		return binary.LittleEndian.AppendUint64(dst, v)
	}
	return strconv.AppendUint(dst, v, 10)
}
