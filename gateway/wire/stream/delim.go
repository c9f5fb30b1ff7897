package stream

import "bytes"

// delimited frames messages that end with a sequence of bytes.
type delimited struct {
	max   int // bytes of a message
	delim []byte
	seen  int // bytes from the frame's first on at which no delimiter begins
}

func (f *delimited) decode(t *taker, buf []byte) *fault {
	for !t.full() {
		from := t.at + f.seen
		i := bytes.Index(buf[from:], f.delim)
		n := f.seen + i
		if i < 0 {
			n = max(f.seen, len(buf)-t.at-len(f.delim)+1)
		}
		if n > f.max {
			return tooLarge("it is longer than the maximum of %d bytes", f.max)
		}
		if i < 0 {
			f.seen = n
			return nil
		}
		f.seen = 0
		t.take(buf, t.at, n, t.at+n+len(f.delim))
	}
	return nil
}
