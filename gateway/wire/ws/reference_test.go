package ws

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// refMessage is a message whose fragments have not all arrived.
type refMessage struct {
	text  bool
	data  string
	empty int // fragments
}

// reference decodes a stream after the handshake frame by frame, in the words of RFC 6455 and
// regardless of speed.
//
// Messages over limit are refused; over longest, they end the connection.
func reference(stream []byte, limit, longest int, ignore string) (o outcome) {
	o.goodbye = code(1000)
	var open *refMessage
	for {
		f, whole, bad := refFrame(stream, longest, open)
		if bad != nil {
			o.reason, o.goodbye = bad.reason, bad.goodbye
			return o
		}
		if f == nil {
			return o
		}
		if isText := f.op == 1 || f.op == 0 && open.text; isText {
			sofar := string(f.payload)
			if open != nil {
				sofar = open.data + sofar
			}
			if !mayBegin([]byte(sofar)) || whole && f.fin && !utf8.ValidString(sofar) {
				o.reason, o.goodbye = bad1007().reason, bad1007().goodbye
				return o
			}
		}
		if !whole {
			return o
		}
		stream = stream[f.size:]
		switch f.op {
		case 8:
			end := refClose(f.payload)
			o.reason, o.close, o.goodbye = end.reason, end.close, end.goodbye
			return o
		case 9:
			o.pongs = append(o.pongs, string(f.payload))
		case 0, 1, 2:
			if open == nil {
				open = &refMessage{text: f.op == 1}
			}
			open.data += string(f.payload)
			if len(f.payload) == 0 {
				open.empty++
			}
			if !f.fin {
				continue
			}
			if len(open.data) > limit {
				o.msgs = append(o.msgs, message{open.text, "", true})
			} else if ignore == "" || !strings.HasPrefix(open.data, ignore) {
				o.msgs = append(o.msgs, message{open.text, open.data, false})
			}
			open = nil
		}
	}
}

type refHead struct {
	fin     bool
	op      byte
	payload []byte // as far as it is there
	size    int    // of the whole frame
}

// refFrame is the first frame of b, or nothing while its header is incomplete.
func refFrame(b []byte, longest int, open *refMessage) (f *refHead, whole bool, bad *outcome) {
	fault := func(o outcome) (*refHead, bool, *outcome) { return nil, false, &o }
	if len(b) < 2 {
		return nil, false, nil
	}
	f = &refHead{fin: b[0] >= 0x80, op: b[0] % 16}
	isControl := f.op >= 8
	switch {
	case b[0]/16%8 != 0:
		return fault(bad1002())
	case strings.IndexByte("\x00\x01\x02\x08\x09\x0a", f.op) < 0:
		return fault(bad1002())
	case isControl && (!f.fin || b[1] > 125):
		return fault(bad1002())
	case f.op == 0 && open == nil, (f.op == 1 || f.op == 2) && open != nil:
		return fault(bad1002())
	case b[1] >= 0x80:
		return fault(bad1002())
	case !isControl && b[1] == 0 && open != nil && open.empty == 65536:
		return fault(bad1009())
	}
	size, n := 2, uint64(b[1])
	if n >= 126 {
		if size = 4; n == 127 {
			size = 10
		}
		if len(b) < size {
			return nil, false, nil
		}
		var wide [8]byte
		copy(wide[8-(size-2):], b[2:size])
		n = binary.BigEndian.Uint64(wide[:])
		if n < 126 || size == 10 && (n < 65536 || n >= 1<<63) {
			return fault(bad1002())
		}
	}
	joined := 0
	if open != nil {
		joined = len(open.data)
	}
	if !isControl && n > uint64(longest-joined) {
		return fault(bad1009())
	}
	f.size = size + int(n)
	f.payload = b[size:min(f.size, len(b))]
	return f, f.size <= len(b), nil
}

// refClose is how the server's Close ends it.
func refClose(body []byte) outcome {
	if len(body) == 0 {
		return noCode()
	}
	if len(body) == 1 {
		return bad1002()
	}
	c := int(body[0])*256 + int(body[1])
	switch {
	case c < 1000, c > 4999, c == 1004, c == 1005, c == 1006, c > 1014 && c < 3000:
		return bad1002()
	case !utf8.Valid(body[2:]):
		return bad1007()
	}
	o := unclean(c)
	if c == 1000 || c == 1001 {
		o.close = fmt.Sprint(c, " clean")
	}
	return o
}
