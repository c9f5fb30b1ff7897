package fg1

import (
	"encoding/binary"

	"feedgate/gateway/wire"
)

// foreign looks at the first bytes from the server, before there is a whole header: a
// server of another protocol may send fewer. Frames before WELCOME have a payload of at
// most maxControl bytes, so a length beyond that with an op that nobody knows, or with
// flags, is no frame at all; neither is a length that is too short for a header.
func foreign(b []byte) *wire.Error {
	if len(b) < 6 {
		return nil
	}
	length, op, flags := binary.BigEndian.Uint32(b), Op(b[4]), b[5]
	known := op >= Hello && op <= Pong || op == Bye
	if length >= minLength && length <= minLength+maxControl || length > minLength && known && flags&^More == 0 {
		return nil
	}
	if looks := wire.LooksLike(b); looks != "" {
		return wire.Errorf(wire.Login, CodeProtocolError, "the server does not look like FG/1, its answer looks like %s; see the URL's scheme", looks)
	}
	return wire.Errorf(wire.Login, CodeProtocolError, "the server does not look like FG/1; see the URL's scheme")
}
