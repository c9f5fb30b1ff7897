package feedserver

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

func TestFGEach(t *testing.T) {
	const count = 20000
	s := start(t, Config{Count: count, Size: 100})
	c := login(t, s, "", 0)
	if c.first != 1 || c.session == "" {
		t.Errorf("WELCOME begins at %d, session %q", c.first, c.session)
	}
	want := map[string]any{"session": c.session, "heartbeat_ms": 5000.0, "acks": []any{"each", "range"}}
	if !reflect.DeepEqual(c.welcome, want) {
		t.Errorf("WELCOME has %v, want %v", c.welcome, want)
	}
	for seq := uint64(1); seq <= count; seq++ {
		f := c.want(fg1.Data)
		if f.Seq != seq || f.Flags != 0 || f.Code != 0 {
			t.Fatalf("message %d is %+v", seq, f.Header)
		}
		if len(f.payload) != 100 || !bytes.Equal(f.payload, s.payload(seq)) {
			t.Fatalf("message %d is %q", seq, f.payload)
		}
		if seq%1000 == 0 {
			c.ack(seq-999, seq)
		}
	}
	c.end(fg1.CodeOK)

	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if len(r.Clients) != 1 || r.Clients[0].Client != "test" || r.Clients[0].Session != c.session {
		t.Errorf("clients are %+v", r.Clients)
	}
	if r.Total != r.Clients[0].Counts {
		t.Errorf("total %+v is not that of the one client %+v", r.Total, r.Clients[0].Counts)
	}
	if r.Total.P50US <= 0 || r.Total.P50US > r.Total.P99US || r.Total.P999US > r.Total.MaxUS || r.Total.MsgsPerS <= 0 {
		t.Errorf("times are %+v", r.Total)
	}
}

func TestFGByeWaitsForAcks(t *testing.T) {
	s := start(t, Config{Count: 3})
	c := login(t, s, "", 0)
	c.data(1, 3)
	c.sync()
	c.ack(3, 3)
	c.ack(1, 1)
	c.sync()
	c.ack(2, 2)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 3, Acknowledged: 3, Connections: 1})
}

// TestFGFullReads: acks that fill the feed's read buffer to the last byte are all read.
func TestFGFullReads(t *testing.T) {
	const count = 4 * readBytes / fg1.HeaderSize
	s := start(t, Config{Count: count, Size: 1})
	c := login(t, s, "", 0)
	c.data(1, count)
	c.ack(1, count)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
}

func TestFGRange(t *testing.T) {
	s := start(t, Config{Count: 100})
	c := login(t, s, "", 0)
	c.data(1, 100)
	c.sendFrame(fg1.AckTo, 0, 40)
	c.sendFrame(fg1.Ack, 1000, 50) // refused, before the range that covers it
	c.sendFrame(fg1.AckTo, 0, 60)
	c.sendFrame(fg1.Ack, fg1.CodeTooLarge, 100)
	c.sendFrame(fg1.AckTo, 0, 100)
	c.end(fg1.CodeOK)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 100, Acknowledged: 100, Refused: 2, Connections: 1})
	if err := r.Err(); err != nil {
		t.Errorf("refusals must count as acks: %v", err)
	}
}

func TestFGPings(t *testing.T) {
	s := start(t, Config{Count: 1, Heartbeat: 100 * time.Millisecond})
	c := login(t, s, "", 0)
	if c.welcome["heartbeat_ms"] != 100.0 {
		t.Errorf("heartbeat_ms is %v", c.welcome["heartbeat_ms"])
	}
	c.data(1, 1)
	c.sync()
	for want := uint64(1); want <= 3; want++ {
		f, err := c.readAny()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op != fg1.Ping || f.Seq != want {
			t.Fatalf("got op %d seq %d, want PING %d", f.Op, f.Seq, want)
		}
		c.sendFrame(fg1.Pong, 0, f.Seq)
	}
	c.ack(1, 1)
	c.end(fg1.CodeOK)
	wait(t, s)
}

func TestFGParts(t *testing.T) {
	for _, size := range []int{1, 10, 100_000} {
		s := start(t, Config{Count: 3, Size: size, Parts: 4})
		c := login(t, s, "", 0)
		for seq := uint64(1); seq <= 3; seq++ {
			var whole []byte
			for part := range 4 {
				f := c.want(fg1.Data)
				if f.Seq != seq || (f.Flags == fg1.More) != (part < 3) {
					t.Fatalf("part %d of message %d is %+v", part, seq, f.Header)
				}
				whole = append(whole, f.payload...)
			}
			if !bytes.Equal(whole, s.payload(seq)) {
				t.Fatalf("message %d of %d bytes differs from its parts", seq, size)
			}
		}
		c.ack(1, 3)
		c.end(fg1.CodeOK)
		expect(t, wait(t, s).Total, Counts{Sent: 3, Acknowledged: 3, Connections: 1})
	}
}

// TestFGLong: messages longer than a batch and than the socket buffers arrive.
func TestFGLong(t *testing.T) {
	const size = 5 << 20
	s := start(t, Config{Count: 5, Size: size})
	c := login(t, s, "", 0)
	for seq := uint64(1); seq <= 5; seq++ {
		if f := c.want(fg1.Data); f.Seq != seq || !bytes.Equal(f.payload, s.payload(seq)) {
			t.Fatalf("message %d is %+v", seq, f.Header)
		}
	}
	c.ack(1, 5)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 5, Acknowledged: 5, Connections: 1})
}

func TestFGBadLogin(t *testing.T) {
	const good = `{"version":1,"client":"c","session":"","token":"secret"}`
	frame := func(op fg1.Op, flags uint8, payload string) []byte {
		return fg1.AppendFrame(nil, op, flags, 0, 0, []byte(payload))
	}
	tests := map[string]struct {
		send []byte
		code uint16
	}{
		"not JSON":     {frame(fg1.Hello, 0, "hello"), fg1.CodeBadRequest},
		"no payload":   {frame(fg1.Hello, 0, ""), fg1.CodeBadRequest},
		"version":      {frame(fg1.Hello, 0, `{"version":2,"token":"secret"}`), fg1.CodeBadRequest},
		"wrong token":  {frame(fg1.Hello, 0, `{"version":1,"token":"secrets"}`), fg1.CodeBadToken},
		"no token":     {frame(fg1.Hello, 0, `{"version":1}`), fg1.CodeBadToken},
		"ack first":    {frame(fg1.Ack, 0, ""), fg1.CodeProtocolError},
		"ping first":   {frame(fg1.Ping, 0, ""), fg1.CodeProtocolError},
		"flags":        {frame(fg1.Hello, 1, good), fg1.CodeProtocolError},
		"short length": {[]byte("\x00\x00\x00\x0b\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), fg1.CodeProtocolError},
		"long length":  {[]byte("GET / HTTP/1.1\r\n\r\n"), fg1.CodeProtocolError},
	}
	s := start(t, Config{Count: 1, Token: []byte("secret")})
	for name, test := range tests {
		c := newFGClient(t, s)
		c.send(test.send)
		f, err := c.read()
		if err != nil || f.Op != fg1.Bye || f.Code != test.code {
			t.Errorf("%s: got op %d, code %d, %v; want BYE with code %d", name, f.Op, f.Code, err, test.code)
		}
		c.eof()
	}
	c := newFGClient(t, s)
	c.hello(0, good)
	c.want(fg1.Welcome)
	c.data(1, 1)
	c.ack(1, 1)
	c.end(fg1.CodeOK)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 1, Acknowledged: 1, Connections: 1})
	if r.RejectedLogins != uint64(len(tests)) {
		t.Errorf("%d rejected logins, want %d", r.RejectedLogins, len(tests))
	}
}

func TestFGProtocolErrors(t *testing.T) {
	for name, bad := range map[string][]byte{
		"second HELLO": fg1.AppendFrame(nil, fg1.Hello, 0, 0, 0, []byte(`{"version":1}`)),
		"DATA":         fg1.AppendFrame(nil, fg1.Data, 0, 0, 1, nil),
		"op 99":        fg1.AppendFrame(nil, 99, 0, 0, 1, nil),
		"ACK flags":    fg1.AppendFrame(nil, fg1.Ack, 2, 0, 1, nil),
	} {
		s := start(t, Config{Count: 2})
		c := login(t, s, "", 0)
		c.data(1, 2)
		c.ack(1, 1)
		c.send(bad)
		if f := c.want(fg1.Bye); f.Code != fg1.CodeProtocolError {
			t.Errorf("%s: BYE with code %d", name, f.Code)
		}
		c.eof()
		// Earlier acks count.
		c = login(t, s, c.session, 0)
		c.data(2, 2)
		c.ack(2, 2)
		c.end(fg1.CodeOK)
		expect(t, wait(t, s).Total, Counts{Sent: 2, Acknowledged: 2, Resent: 1, Connections: 2, ProtocolErrors: 1})
	}
}

// TestFGClientBye: a client that sends BYE gets no further message, and can resume its session.
func TestFGClientBye(t *testing.T) {
	s := start(t, Config{Count: 50, Window: 10})
	c := login(t, s, "", 0)
	c.data(1, 10)
	c.sendFrame(fg1.Bye, fg1.CodeShuttingDown, 0)
	c.ack(1, 10)
	c.eof()
	c = login(t, s, c.session, 10)
	for seq := uint64(11); seq <= 50; seq += 10 {
		c.data(seq, seq+9)
		c.ack(seq, seq+9)
	}
	c.end(fg1.CodeOK)
	if r := wait(t, s); r.Total.Acknowledged != 50 || r.Err() != nil {
		t.Errorf("%+v", r.Total)
	}
}
