package baselines

import (
	"bufio"
	"io"

	"feedgate/gateway/wire/fg1"
)

// reader reads frames through a bufio.Reader, for the clients that copy messages.
type reader struct{ *bufio.Reader }

func newReader(r io.Reader) reader { return reader{bufio.NewReaderSize(r, readSize)} }

// next reads the header of the next DATA, PING or BYE frame. The caller reads the payload of DATA;
// other payloads are discarded.
func (r reader) next() (fg1.Header, error) {
	for {
		b, err := r.Peek(fg1.HeaderSize)
		if err != nil {
			return fg1.Header{}, lost(err)
		}
		h := fg1.ParseHeader(b)
		if !accepted(h) {
			return h, refused(h)
		}
		if h.Op == fg1.Data {
			_, err = r.Discard(fg1.HeaderSize)
			return h, err
		}
		if _, err := r.Discard(fg1.HeaderSize + int(h.Payload())); err != nil {
			return h, lost(err)
		}
		if h.Op != fg1.Pong {
			return h, nil
		}
	}
}

// payload reads n bytes and appends them to dst.
func (r reader) payload(dst []byte, n int) ([]byte, error) {
	if n <= r.Buffered() {
		b, err := r.Peek(n)
		if err != nil {
			return dst, err
		}
		dst = append(dst, b...)
		_, err = r.Discard(n)
		return dst, err
	}
	at := len(dst)
	dst = append(dst, make([]byte, n)...)
	_, err := io.ReadFull(r, dst[at:])
	return dst, lost(err)
}
