package destination

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// buffers are for Lines.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// Lines counts the lines of r. The last one needs no LF.
func Lines(r io.Reader) (n uint64, err error) {
	b := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(b)
	for open := false; ; {
		k, err := r.Read(b[:])
		if k > 0 {
			n += uint64(bytes.Count(b[:k], []byte{'\n'}))
			open = b[k-1] != '\n'
		}
		if errors.Is(err, io.EOF) {
			if open {
				n++
			}
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
