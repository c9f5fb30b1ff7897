package stream

import (
	"bytes"

	"feedgate/gateway/wire"
)

// lines frames messages that end with LF, or CR LF.
type lines struct {
	max  int // longest message, in bytes
	seen int // leading bytes of the frame without LF
}

func (f *lines) frames(msgs []wire.Msg, seq uint64, buf []byte, at int) (progress, *fault) {
	seen := f.seen
	f.seen = 0
	for k := range msgs {
		end, whole := len(buf), false
		if i := bytes.IndexByte(buf[at+seen:], '\n'); i >= 0 {
			end, whole = at+seen+i, true
		}
		n := end - at
		if n > 0 && buf[end-1] == '\r' {
			n--
		}
		if n > f.max {
			return progress{n: k, at: at, over: true}, nil
		}
		if !whole {
			f.seen = end - at
			return progress{n: k, at: at}, nil
		}
		seq++
		msgs[k] = wire.Msg{Seq: seq, Off: uint32(at), Len: uint32(n)}
		at, seen = end+1, 0
	}
	f.seen = seen
	return progress{n: len(msgs), at: at}, nil
}

// end leaves a CR at the end of b for the next call, because LF may follow.
func (f *lines) end(b []byte) (n, size int, found bool) {
	n = len(b)
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		n, found = i, true
	}
	size = n
	if n > 0 && b[n-1] == '\r' {
		size--
	}
	if found {
		return n + 1, size, true
	}
	return size, size, false
}
