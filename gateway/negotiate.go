package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"feedgate/gateway/wire"
)

// maxNegotiation is the most bytes that a server may send before the TLS handshake.
const maxNegotiation = 128 << 10

// negotiate runs the start of the protocol's login, up to the TLS handshake. It reads nothing beyond
// that.
func (d *dialer) negotiate(ctx context.Context, raw net.Conn, hostport string) (wire.Conn, error) {
	defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })()
	resume := d.resume
	resume.Host = hostport
	conn := d.codec.NewConn()
	const until = "the TLS handshake"
	x := loginExchange{stream: raw, conn: conn, limit: maxNegotiation, until: until}
	switch e, err := x.run(conn.AppendHello(nil, resume)); {
	case errors.As(err, new(*wire.Error)):
		return nil, err
	case err != nil:
		return nil, negotiationError(ctx, err)
	case e.Kind == wire.EventStartTLS && x.in.Scan == x.filled && len(x.out) == 0:
		return conn, nil
	case e.Kind == wire.EventClose:
		return nil, wire.Errorf(wire.Login, e.Code, "the server refused the login")
	default:
		return nil, x.unexpected()
	}
}

// loginExchange runs a part of a login outside the loop, over a stream whose calls block. One goroutine uses
// it.
type loginExchange struct {
	stream io.ReadWriter
	conn   wire.Conn
	limit  int    // the most bytes that the server may send
	until  string // what ends the part, for errors

	in     wire.Input
	buf    []byte
	filled int    // bytes received
	out    []byte // bytes to send
}

// run sends hello and exchanges bytes until the conn returns an event. An error of the stream is
// returned as it is, a fault of the server as a [wire.Error]. Unsent replies remain in x.out.
func (x *loginExchange) run(hello []byte) (wire.Event, error) {
	x.out = hello
	x.in.Msgs = make([]wire.Msg, 0, 1)
	x.buf = make([]byte, 4<<10)
	for {
		fault := x.conn.Decode(x.buf[:x.filled], &x.in)
		if fault == nil {
			fault = x.in.Check(x.buf[:x.filled])
		}
		x.out, x.in.Out = append(x.out, x.in.Out...), x.in.Out[:0]
		switch {
		case fault != nil:
			return wire.Event{}, fault
		case x.in.Event.Kind != wire.EventNone:
			return x.in.Event, nil
		case len(x.in.Msgs) > 0:
			return wire.Event{}, x.unexpected()
		}
		if _, err := x.stream.Write(x.out); err != nil {
			return wire.Event{}, err
		}
		x.out = x.out[:0]
		if err := x.receive(); err != nil {
			return wire.Event{}, err
		}
	}
}

// receive reads once.
func (x *loginExchange) receive() error {
	if x.filled == len(x.buf) {
		if x.filled >= x.limit {
			return wire.Errorf(wire.BadLength, wire.CloseProtocolError, "more than %d bytes before %s", x.limit, x.until)
		}
		x.buf = append(x.buf, make([]byte, len(x.buf))...)
	}
	n, err := x.stream.Read(x.buf[x.filled:])
	x.filled += n
	if n > 0 {
		return nil
	}
	return err
}

func (x *loginExchange) unexpected() *wire.Error {
	return wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "unexpected data before %s", x.until)
}

var errNoAnswer = errors.New("no answer within --connect-timeout")

// negotiationError returns why the exchange ended.
func negotiationError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errNoAnswer
	}
	return fmt.Errorf("connection lost: %w", err)
}
