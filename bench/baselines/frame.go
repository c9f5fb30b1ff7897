package baselines

import (
	"encoding/binary"
	"errors"
	"fmt"

	"feedgate/gateway/wire/fg1"
)

// ErrProtocol is in the error of a client whose server broke the protocol, or
// used a part of it that the clients here do without.
var ErrProtocol = errors.New("protocol error")

// taken reports whether a client here takes the frame.
func taken(h fg1.Header) bool {
	const known = 1<<fg1.Data | 1<<fg1.Ping | 1<<fg1.Pong | 1<<fg1.Bye
	return h.Flags == 0 && uint64(h.Payload()) <= maxMessage && uint64(known)>>h.Op&1 != 0
}

// refused is the error of a frame that is not taken.
func refused(h fg1.Header) error {
	return fmt.Errorf("%w: op %d, flags %d, %d bytes", ErrProtocol, h.Op, h.Flags, h.Payload())
}

// dataFrame is the number and the length of the message that b begins with, header
// included; length 0: b does not begin with a whole one. It is what those need who
// work on messages where they lie: with [fg1.ParseHeader], whose five fields do not
// stay in registers, they take half as much processor time again.
func dataFrame(b []byte) (seq uint64, length int) {
	if len(b) < fg1.HeaderSize {
		return 0, 0
	}
	const lengthBefore = fg1.HeaderSize - 4 // what the length field counts beside the payload
	head := binary.BigEndian.Uint64(b)
	payload := head>>32 - lengthBefore
	if uint16(head>>16) != uint16(fg1.Data)<<8 || payload > maxMessage || int(payload) > len(b)-fg1.HeaderSize {
		return 0, 0
	}
	return binary.BigEndian.Uint64(b[8:]), fg1.HeaderSize + int(payload)
}

// otherFrame is what b begins with if that is not a whole message: a frame
// without one, or with length 0 the beginning of any.
func otherFrame(b []byte) (h fg1.Header, length int, err error) {
	if len(b) < fg1.HeaderSize {
		return h, 0, nil
	}
	h = fg1.ParseHeader(b)
	if !taken(h) {
		return h, 0, refused(h)
	}
	if length = fg1.HeaderSize + int(h.Payload()); length > len(b) {
		return h, 0, nil
	}
	return h, length, nil
}
