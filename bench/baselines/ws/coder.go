package ws

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"feedgate/bench/baselines"
)

// Coder is a client with github.com/coder/websocket. The library's own read buffer is fixed at 4
// KiB, so it reads from a larger one.
func Coder(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	return run(ctx, "coder", dialCoder, addr, workers, work)
}

type coderSocket struct{ c *websocket.Conn }

func dialCoder(ctx context.Context, c *conn, url string) (socket, error) {
	c.in = bufio.NewReaderSize(c.Conn, readSize)
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil },
	}}})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxMessage)
	return coderSocket{ws}, nil
}

// read reads with a context that cannot end, because one that can costs a dozen allocations per
// message. Closing the connection ends it as well.
func (s coderSocket) read(in *receiver) error {
	defer s.c.CloseNow()
	for last := 0; ; {
		_, r, err := s.c.Reader(context.Background())
		if err != nil {
			switch websocket.CloseStatus(err) {
			case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
				return nil
			}
			return err
		}
		// The length of a message is known only at its end. Assume that of the last one.
		if last > copyLimit {
			p := pool.Get().(*pooled)
			if p.data, err = readAll(r, p.data[:0]); err != nil {
				return err
			}
			last = len(p.data)
			in.put(p.data, p)
			continue
		}
		b := in.buf()
		if *b, err = readAll(r, *b); err != nil {
			return err
		}
		last = len(*b)
		in.put(*b, nil)
	}
}

func (s coderSocket) write(text []byte) error {
	return s.c.Write(context.Background(), websocket.MessageText, text)
}

// readAll is io.ReadAll into a recycled buffer.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, make([]byte, max(512, len(b)))...)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// pooled is a buffer that Close returns to the pool.
type pooled struct{ data []byte }

var pool = sync.Pool{New: func() any { return new(pooled) }}

func (p *pooled) Close() error {
	pool.Put(p)
	return nil
}
