package stream

import "bytes"

// lines frames messages that end with LF. One CR before it belongs to the end.
type lines struct {
	max  int // bytes of a message
	seen int // bytes from the frame's first on that hold no LF
}

func (f *lines) decode(t *taker, buf []byte) *fault {
	for !t.full() {
		from := t.at + f.seen
		end, whole := len(buf), false
		if i := bytes.IndexByte(buf[from:], '\n'); i >= 0 {
			end, whole = from+i, true
		}
		n := end - t.at
		if n > 0 && buf[end-1] == '\r' {
			n--
		}
		if n > f.max {
			return tooLarge("it is longer than the maximum of %d bytes", f.max)
		}
		if !whole {
			f.seen = end - t.at
			return nil
		}
		f.seen = 0
		t.take(buf, t.at, n, end+1)
	}
	return nil
}
