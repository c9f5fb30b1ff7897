package stream

import (
	"bytes"

	"feedgate/gateway/wire"
)

// delimited frames messages that end with a sequence of bytes.
type delimited struct {
	max   int // bytes of a message
	delim []byte
	seen  int // bytes from the frame's first on at which no delimiter begins
}

func (f *delimited) frames(msgs []wire.Msg, seq uint64, buf []byte, at int) (progress, *fault) {
	seen := f.seen
	f.seen = 0
	for k := range msgs {
		i := bytes.Index(buf[at+seen:], f.delim)
		n := seen + i
		if i < 0 {
			n = max(0, len(buf)-at-len(f.delim)+1)
		}
		if n > f.max {
			return progress{n: k, at: at, over: true}, nil
		}
		if i < 0 {
			f.seen = n
			return progress{n: k, at: at}, nil
		}
		seq++
		msgs[k] = wire.Msg{Seq: seq, Off: uint32(at), Len: uint32(n)}
		at, seen = at+n+len(f.delim), 0
	}
	f.seen = seen
	return progress{n: len(msgs), at: at}, nil
}

// end leaves at the end of b what may be the beginning of the delimiter.
func (f *delimited) end(b []byte) (n, size int, found bool) {
	if i := bytes.Index(b, f.delim); i >= 0 {
		return i + len(f.delim), i, true
	}
	n = max(0, len(b)-len(f.delim)+1)
	return n, n, false
}
