package stream

import (
	"bytes"

	"feedgate/gateway/wire"
)

// delimited frames messages that end with a delimiter.
type delimited struct {
	max   int // longest message, in bytes
	delim []byte
	seen  int // leading bytes of the frame at which no delimiter begins
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

// end leaves the bytes at the end of b that may begin a delimiter.
func (f *delimited) end(b []byte) (n, size int, found bool) {
	if i := bytes.Index(b, f.delim); i >= 0 {
		return i + len(f.delim), i, true
	}
	n = max(0, len(b)-len(f.delim)+1)
	return n, n, false
}
