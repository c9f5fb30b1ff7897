package gateway

import (
	"io"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// badConn calls wrong instead of Decode if the input begins with '!'.
type badConn struct {
	wire.Conn
	wrong func(c wire.Conn, buf []byte, in *wire.Input) *wire.Error
}

func (c badConn) Decode(buf []byte, in *wire.Input) *wire.Error {
	if len(buf) == 0 || buf[0] != '!' {
		return c.Conn.Decode(buf, in)
	}
	return c.wrong(c.Conn, buf, in)
}

// TestBadDecoder: any fault of a decoder ends the connection, not the process; the next connection
// works.
func TestBadDecoder(t *testing.T) {
	for name, c := range map[string]struct {
		wrong  func(c wire.Conn, buf []byte, in *wire.Input) *wire.Error
		reason string
	}{
		"an error of the peer": {func(wire.Conn, []byte, *wire.Input) *wire.Error {
			return wire.Errorf(wire.UnknownOp, wire.CloseProtocolError, "no such thing")
		}, wire.UnknownOp},
		"cursors beyond the buffer": {func(_ wire.Conn, buf []byte, in *wire.Input) *wire.Error {
			in.Advance(len(buf) + 1)
			return nil
		}, wire.Internal},
		"cursors in disorder": {func(_ wire.Conn, buf []byte, in *wire.Input) *wire.Error {
			in.Start = len(buf)
			return nil
		}, wire.Internal},
		"a message beyond the buffer": {func(_ wire.Conn, buf []byte, in *wire.Input) *wire.Error {
			in.Msgs = append(in.Msgs, wire.Msg{Seq: 1, Off: 1 << 31, Len: 1 << 31})
			return nil
		}, wire.Internal},
		"a side message that is not there": {func(_ wire.Conn, buf []byte, in *wire.Input) *wire.Error {
			in.Msgs = append(in.Msgs, wire.Msg{Seq: 1, Side: true, Len: 1})
			return nil
		}, wire.Internal},
		"a side message beyond the others": {func(_ wire.Conn, buf []byte, in *wire.Input) *wire.Error {
			in.Side = append(in.Side, "own"...)
			in.Msgs = append(in.Msgs, wire.Msg{Seq: 1, Side: true, Off: 2, Len: 2}, wire.Msg{Seq: 2, Side: true, Len: 2}, wire.Msg{Seq: 3})
			return nil
		}, wire.Internal},
		"a side message over --max-message": {func(_ wire.Conn, buf []byte, in *wire.Input) *wire.Error {
			in.Side = append(in.Side, make([]byte, 1<<21)...)
			in.Msgs = append(in.Msgs, wire.Msg{Seq: 1, Side: true, Len: 1 << 21})
			in.Advance(len(buf))
			return nil
		}, wire.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t)
			got := make(chan string, 8)
			cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(m worker.Message) worker.Code {
				got <- string(m.Data)
				return worker.OK
			})
			cfg.Workers = 1
			setFlag(&cfg, "frame", "line")
			g, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			real := *g.set.codec
			g.set.codec.NewConn = func() wire.Conn { return badConn{real.NewConn(), c.wrong} }
			r := startGateway(t, g)
			conn := s.accept()
			if _, err := conn.Write([]byte("!")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			conn = s.accept()
			if _, err := conn.Write([]byte("good")); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || <-got != "good" {
				t.Error("the message of the next connection has not come")
			}
			errors := map[string]uint64{}
			g.Stats().Errors(func(reason string, n uint64) { errors[reason] = n })
			if len(errors) != 1 || errors[c.reason] != 1 {
				t.Errorf("counted %v, want one of %s", errors, c.reason)
			}
		})
	}
}

// TestIdleTimeoutDefault: over tcp, the idle timeout is off unless a heartbeat makes the server
// answer.
func TestIdleTimeoutDefault(t *testing.T) {
	for _, c := range []struct {
		url, heartbeat string
		given, want    time.Duration
	}{
		{"tcp://h:1", "", 0, NoTimeout},
		{"tcp+tls://h:1", "", 0, NoTimeout},
		{"tcp://h:1", "hb", 0, wire.DefaultIdle},
		{"tcp://h:1", "", 5, 5},
		{"tcp://h:1", "hb", NoTimeout, NoTimeout},
		{"ws://h:1/", "", 0, wire.DefaultIdle},
		{"fg://h:1", "", 0, wire.DefaultIdle},
		{"nsq://h:1/t/c", "", 0, wire.DefaultIdle},
		{"ws://h:1/", "", NoTimeout, NoTimeout},
	} {
		cfg := testConfig(t, c.url, accept)
		cfg.IdleTimeout = c.given
		if c.url[:3] == "tcp" {
			setFlag(&cfg, "heartbeat-template", c.heartbeat)
			setFlag(&cfg, "frame", "line")
		}
		if err := cfg.Validate(); err != nil || cfg.IdleTimeout != c.want {
			t.Errorf("%s with heartbeat %q: %v, %v; want %v", c.url, c.heartbeat, cfg.IdleTimeout, err, c.want)
		}
	}
}
