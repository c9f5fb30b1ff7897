package baselines

import (
	"encoding/binary"
	"errors"
	"fmt"

	"feedgate/gateway/wire/fg1"
)

// ErrProtocol is in the error of a client whose server violated the protocol, or used a part of it
// that these clients do not implement.
var ErrProtocol = errors.New("protocol error")

// accepted reports whether the clients implement the frame.
func accepted(h fg1.Header) bool {
	const known = 1<<fg1.Data | 1<<fg1.Ping | 1<<fg1.Pong | 1<<fg1.Bye
	return h.Flags == 0 && uint64(h.Payload()) <= maxMessage && uint64(known)>>h.Op&1 != 0
}

// refused returns the error of a frame that is not accepted.
func refused(h fg1.Header) error {
	return fmt.Errorf("%w: op %d, flags %d, %d bytes", ErrProtocol, h.Op, h.Flags, h.Payload())
}

// dataFrame returns the number and the length, including the header, of the message at the
// beginning of b. length is 0 if b does not begin with a complete message. It exists because
// clients that process messages in place would take one and a half times the CPU time with
// [fg1.ParseHeader], whose five results do not stay in registers.
func dataFrame(b []byte) (seq uint64, length int) {
	if len(b) < fg1.HeaderSize {
		return 0, 0
	}
	const lengthBefore = fg1.HeaderSize - 4 // bytes that the length field counts in addition to the payload
	head := binary.BigEndian.Uint64(b)
	payload := head>>32 - lengthBefore
	if uint16(head>>16) != uint16(fg1.Data)<<8 || payload > maxMessage || int(payload) > len(b)-fg1.HeaderSize {
		return 0, 0
	}
	return binary.BigEndian.Uint64(b[8:]), fg1.HeaderSize + int(payload)
}

// otherFrame returns the frame at the beginning of b if it is not a message. length is 0 if b has
// only the beginning of a frame.
func otherFrame(b []byte) (h fg1.Header, length int, err error) {
	if len(b) < fg1.HeaderSize {
		return h, 0, nil
	}
	h = fg1.ParseHeader(b)
	if !accepted(h) {
		return h, 0, refused(h)
	}
	if length = fg1.HeaderSize + int(h.Payload()); length > len(b) {
		return h, 0, nil
	}
	return h, length, nil
}
