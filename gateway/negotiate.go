package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"feedgate/gateway/wire"
)

// maxNegotiation bounds what a server may say, in bytes, before the TLS handshake.
const maxNegotiation = 128 << 10

// negotiate has the beginning of the protocol's login, up to where the server awaits the
// TLS handshake. Nothing of what comes after that is read.
func (d *dialer) negotiate(ctx context.Context, raw net.Conn, hostport string) (wire.Conn, error) {
	defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })()
	resume := d.resume
	resume.Host = hostport
	conn := d.codec.NewConn()
	out := conn.Open(nil, resume)
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
			return nil, wire.Errorf(wire.Login, in.Event.Code, "the server refuses the login")
		case in.Event.Kind != wire.EventNone || len(in.Msgs) > 0:
			return nil, wire.Errorf(wire.UnexpectedOp, wire.CloseProtocolError, "more than the login before the TLS handshake")
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

// negotiationError is why the exchange ended.
func negotiationError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errNoAnswer
	}
	return fmt.Errorf("connection lost: %w", err)
}
