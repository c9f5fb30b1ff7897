package gateway

import (
	"context"
	"errors"
	"fmt"
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
	out := conn.AppendHello(nil, resume)
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
	buf := make([]byte, 4<<10)
	for filled := 0; ; {
		fault := conn.Decode(buf[:filled], &in)
		if fault == nil {
			fault = in.Check(buf[:filled])
		}
		out, in.Out = append(out, in.Out...), in.Out[:0]
		if fault != nil {
			return nil, fault
		}
		switch {
		case in.Event.Kind == wire.EventStartTLS && in.Scan == filled && len(out) == 0:
			return conn, nil
		case in.Event.Kind == wire.EventClose:
			return nil, wire.Errorf(wire.Login, in.Event.Code, "the server refused the login")
		case in.Event.Kind != wire.EventNone || len(in.Msgs) > 0:
			return nil, wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "unexpected data before the TLS handshake")
		}
		if _, err := raw.Write(out); err != nil {
			return nil, negotiationError(ctx, err)
		}
		out = out[:0]
		if filled == len(buf) {
			if filled == maxNegotiation {
				return nil, wire.Errorf(wire.BadLength, wire.CloseProtocolError, "more than %d bytes before the TLS handshake", maxNegotiation)
			}
			buf = append(buf, make([]byte, len(buf))...)
		}
		n, err := raw.Read(buf[filled:])
		filled += n
		if err != nil && n == 0 {
			return nil, negotiationError(ctx, err)
		}
	}
}

var errNoAnswer = errors.New("no answer within --connect-timeout")

// negotiationError returns why the exchange ended.
func negotiationError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errNoAnswer
	}
	return fmt.Errorf("connection lost: %w", err)
}
