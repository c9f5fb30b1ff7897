package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"feedgate/bench/baselines"
)

// maxMessage is the maximum length of a message in bytes.
const maxMessage = 1 << 20

// socket is a library's WebSocket.
type socket interface {
	// read puts every message into in, until the connection ends. A clean Close is no error.
	read(in *receiver) error
	// write sends a text message. It does not keep text.
	write(text []byte) error
}

// dialFunc does the WebSocket handshake on a connection.
type dialFunc func(ctx context.Context, c *conn, url string) (socket, error)

// run is a baselines.Func, except for the library.
func run(ctx context.Context, name string, dial dialFunc, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	res, err := session(ctx, dial, addr, workers, work)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("connection lost before Close: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return res, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

func session(ctx context.Context, dial dialFunc, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return baselines.Result{}, err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	c := &conn{Conn: nc, in: nc}
	s, err := dial(ctx, c, "ws://"+addr+"/")
	if err != nil {
		return baselines.Result{}, err
	}

	acks, written := make(chan uint64, depth), make(chan error, 1)
	go func() { written <- writeAcks(s, c, acks) }()
	in := newReceiver(workers)
	var running sync.WaitGroup
	for _, q := range in.queues {
		running.Go(func() {
			for m := range q.messages {
				work(m.data)
				if m.owner != nil {
					_ = m.owner.Close()
				}
				acks <- m.n
			}
		})
	}
	c.drain = sync.OnceValue(func() error {
		in.close()
		running.Wait()
		close(acks)
		return <-written
	})
	err = s.read(in)
	if werr := c.drain(); werr != nil && (err == nil || errors.Is(err, net.ErrClosed)) {
		err = werr
	}
	return in.res, err
}

// writeAcks writes until acks is closed. After an error it closes c, which ends the reader, and
// keeps receiving, so that no worker blocks.
func writeAcks(s socket, c *conn, acks <-chan uint64) (err error) {
	text := append(make([]byte, 0, len("A18446744073709551615")), 'A')
	for n := range acks {
		// Nobody else receives, so the acks in the channel can be received without blocking. The
		// last of them is written together with the others.
		for more := len(acks); ; more-- {
			c.hold.Store(more > 0)
			if err == nil {
				if err = s.write(strconv.AppendUint(text, n, 10)); err != nil {
					c.Close()
				}
			}
			if more == 0 {
				break
			}
			n = <-acks
		}
	}
	return err
}
