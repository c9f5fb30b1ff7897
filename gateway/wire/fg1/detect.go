package fg1

import (
	"encoding/binary"

	"feedgate/gateway/wire"
)

// notFG1 returns a fault if the server's first bytes cannot be FG/1. It needs fewer bytes than a
// header, because a server of another protocol may send no more. Before WELCOME, payloads are at
// most maxControl bytes long. So a longer length with an unknown op or unknown flags is no FG/1
// frame; neither is a length too short for a header.
func notFG1(b []byte) *wire.Error {
	if len(b) < 6 {
		return nil
	}
	length, op, flags := binary.BigEndian.Uint32(b), Op(b[4]), b[5]
	known := op >= Hello && op <= Pong || op == Bye
	if length >= minLength && length <= minLength+maxControl || length > minLength && known && flags&^More == 0 {
		return nil
	}
	if looks := wire.DetectProtocol(b); looks != "" {
		return wire.Errorf(wire.Login, wire.CloseProtocolError, "the server does not look like FG/1, its answer looks like %s; see the URL's scheme", looks)
	}
	return wire.Errorf(wire.Login, wire.CloseProtocolError, "the server does not look like FG/1; see the URL's scheme")
}
