package stream

import "bytes"

// lines frames messages that end with LF. One CR before it belongs to the end.
type lines struct {
	max  int // bytes of a message
	seen int // bytes from the frame's first on that hold no LF
}

func (f *lines) decode(t *taker, buf []byte) *fault {
	for !t.full() {
		i := bytes.IndexByte(buf[t.at+f.seen:], '\n')
		if i < 0 {
			f.seen = len(buf) - t.at
			// A CR right behind the longest message may be part of its end.
			if f.seen > f.max+1 || f.seen == f.max+1 && buf[t.at+f.max] != '\r' {
				return tooLarge("it is longer than the maximum of %d bytes", f.max)
			}
			return nil
		}
		end := t.at + f.seen + i
		n := end - t.at
		if n > 0 && buf[end-1] == '\r' {
			n--
		}
		if n > f.max {
			return tooLarge("it is longer than the maximum of %d bytes", f.max)
		}
		f.seen = 0
		t.take(buf, t.at, n, end+1)
	}
	return nil
}
