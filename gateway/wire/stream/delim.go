package stream

import "bytes"

// delimited frames messages that end with a byte sequence.
type delimited struct {
	max   int // bytes of a message
	delim []byte
	seen  int // bytes from the frame's first on at which no delimiter begins
}

func (f *delimited) decode(t *taker, buf []byte) *fault {
	for !t.full() {
		i := bytes.Index(buf[t.at+f.seen:], f.delim)
		if i < 0 {
			f.seen = max(f.seen, len(buf)-t.at-len(f.delim)+1)
			if f.seen > f.max {
				return tooLarge("it is longer than the maximum of %d bytes", f.max)
			}
			return nil
		}
		n := f.seen + i
		if n > f.max {
			return tooLarge("it is longer than the maximum of %d bytes", f.max)
		}
		f.seen = 0
		t.take(buf, t.at, n, t.at+n+len(f.delim))
	}
	return nil
}
