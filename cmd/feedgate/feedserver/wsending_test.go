package feedserver

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/worker/testkit"
)

// TestWSFaults: a client's fault ends the connection with a Close that has the right code. Earlier
// acks count, and the next client resumes after them.
func TestWSFaults(t *testing.T) {
	masked := func(b0 byte, payload string) []byte { return wsMasked(b0, []byte(payload), 0x7f00ff01) }
	unmasked := func(b []byte) []byte { return append([]byte{b[0], b[1] &^ 0x80}, b[6:]...) }
	for name, test := range map[string]struct {
		bad  []byte
		code uint16
	}{
		"unmasked ack":       {unmasked(masked(0x81, "A2")), closeProtocolError},
		"unmasked PONG":      {unmasked(masked(0x8a, "")), closeProtocolError},
		"reserved bit":       {masked(0xc1, "A2"), closeProtocolError},
		"opcode 3":           {masked(0x83, "A2"), closeProtocolError},
		"opcode 11":          {masked(0x8b, ""), closeProtocolError},
		"PING in fragments":  {masked(0x09, ""), closeProtocolError},
		"long PING":          {masked(0x89, strings.Repeat("x", 126)), closeProtocolError},
		"continuation":       {masked(0x80, "A2"), closeProtocolError},
		"message in message": {append(masked(0x01, "A"), masked(0x81, "A2")...), closeProtocolError},
		"wide length":        {[]byte{0x81, 0x80 | 126, 0, 2, 0, 0, 0, 0, 'A', '2'}, closeProtocolError},
		"widest length":      {[]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 'A', '2'}, closeProtocolError},
		"negative length":    {[]byte{0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 'A', '2'}, closeTooBig},
		"too long":           {masked(0x82, strings.Repeat("x", maxFrame+1)), closeTooBig},
		"too long in all":    {append(masked(0x02, strings.Repeat("x", maxFrame)), masked(0x80, "x")...), closeTooBig},
		"not UTF-8":          {masked(0x81, "\xff"), closeNotUTF8},
		"Close of one byte":  {masked(0x88, "\x03"), closeProtocolError},
		"Close code 1005":    {masked(0x88, "\x03\xed"), closeProtocolError},
		"Close code 999":     {masked(0x88, "\x03\xe7"), closeProtocolError},
		"Close not UTF-8":    {masked(0x88, "\x03\xe8\xff"), closeProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{Protocol: "ws", Count: 2})
			c := dialWS(t, s)
			c.messages(s, 1, 2)
			c.send(append(wsAck(1), test.bad...)...)
			c.wantClose(test.code)
			c.eof()
			c = dialWS(t, s)
			c.messages(s, 2, 2)
			c.ack(1, 1)
			c.end(closeNormal)
			expect(t, wait(t, s).Total, Counts{Sent: 2, Acknowledged: 2, Resent: 1, Connections: 2, ProtocolErrors: 1})
		})
	}
}

// TestWSClientClose: a client's Close is answered with its code, after the message in progress. The
// client can resume.
func TestWSClientClose(t *testing.T) {
	for _, payload := range []string{"", "\x03\xe9", "\x0f\xa0because"} {
		s := start(t, Config{Protocol: "ws", Count: 30, Window: 10, Fragment: 2})
		c := dialWS(t, s)
		c.messages(s, 1, 10)
		c.ack(1, 6)
		c.send(append(c.frame(0x80|opClose, payload), wsAck(7)...)...) // what follows is ignored
		for {
			_, _, _, err := c.read()
			if closed := (errClosed{}); errors.As(err, &closed) {
				if closed.code != closeCode([]byte(payload)) {
					t.Errorf("Close %q is answered with code %d", payload, closed.code)
				}
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		c.eof()
		c = dialWS(t, s)
		c.messages(s, 7, 16)
		c.ack(1, 10)
		c.messages(s, 17, 26)
		c.ack(11, 20)
		c.messages(s, 27, 30)
		c.ack(21, 24)
		c.end(closeNormal)
		if r := wait(t, s); r.Total.Acknowledged != 30 || r.Total.Connections != 2 || r.Err() != nil {
			t.Errorf("%+v", r.Total)
		}
	}
}

// TestWSResume: after a reset, the next client resumes at the first missing ack, with numbers from
// 1.
func TestWSResume(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 20, Window: 10})
	c := dialWS(t, s)
	c.messages(s, 1, 10)
	c.ack(1, 3)
	c.ack(5, 7)
	c.messages(s, 11, 13)
	c.sync()
	_ = c.nc.(*net.TCPConn).SetLinger(0)
	_ = c.nc.Close()

	c = dialWS(t, s)
	c.messages(s, 4, 13)
	c.ack(1, 10)
	c.messages(s, 14, 20)
	c.ack(11, 17)
	c.end(closeNormal)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 20, Acknowledged: 20, Resent: 10, Connections: 2})
}

// stubbornWS reconnects until it receives Close, and acknowledges every message. It gives up a
// connection after silence of that length. It returns its number of connections.
func stubbornWS(t *testing.T, s *Server, patienceWithSilence time.Duration) (connections int) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			continue // reset during the handshake of TCP
		}
		_ = nc.SetDeadline(time.Now().Add(patienceWithSilence))
		connections++
		c, _, err := upgradeWS(t, nc, handshake())
		for n := uint64(1); err == nil; n++ {
			if _, _, _, err = c.read(); err == nil {
				c.ack(n, n)
			}
		}
		closed := errors.As(err, new(errClosed))
		if closed {
			c.send(c.frame(0x80|opClose, "\x03\xe8")...)
			_, err = io.Copy(io.Discard, c.r)
		}
		_ = nc.Close()
		if closed && err == nil {
			return connections
		}
	}
	t.Fatal("the session did not end")
	return
}

func TestWSChaos(t *testing.T) {
	chaos, err := ParseChaos("reset=0.05,split=1-7,stall=20ms@0.1,half-open=0.05")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Protocol: "ws", Count: 1500, Size: 20, Fragment: 3, Chaos: chaos, Seed: 5})
	connections := stubbornWS(t, s, 300*time.Millisecond)
	r := wait(t, s)
	if r.Total.Acknowledged != 1500 || r.Total.Connections < 2 || r.Total.Connections > connections || r.Total.ProtocolErrors > 0 || r.Err() != nil {
		t.Errorf("%+v, %v", r.Total, r.Err())
	}
}

// TestWSDrain: a drain of an endless feed waits for acks and ends with Close 1001.
func TestWSDrain(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Window: 100, DrainTimeout: patience})
	c := dialWS(t, s)
	c.messages(s, 1, 100)
	reports := drain(t, s)
	testkit.Eventually(t, "the drain", s.loop.draining.Load)
	_, late, err := upgradeWS(t, dial(t, s), handshake())
	if err != nil || late.StatusCode != 503 {
		t.Errorf("a late client is answered with %+v, %v", late, err)
	}
	c.ack(1, 100)
	c.end(closeGoingAway)
	if r := <-reports; r.Total.Acknowledged != 100 || r.Err() != nil {
		t.Errorf("%+v", r.Total)
	}
}

// TestWSReplyFlood: a client that sends PINGs and does not read the PONGs is disconnected.
func TestWSReplyFlood(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 10, SessionTimeout: 50 * time.Millisecond})
	c := dialWS(t, s)
	var pings []byte
	for range 4096 {
		pings = append(pings, c.frame(0x80|opPing, "12345678")...)
	}
	for {
		if _, err := c.nc.Write(pings); err != nil {
			break
		}
	}
	expect(t, wait(t, s).Total, Counts{Sent: 10, Missing: 10, Connections: 1})
}

// TestWSCloseInTheMiddle: a client that sends Close while a message is partly sent gets the rest of
// the message first.
func TestWSCloseInTheMiddle(t *testing.T) {
	const size = 3 << 20
	s := start(t, Config{Protocol: "ws", Count: 5, Size: size, SessionTimeout: 50 * time.Millisecond})
	c := dialWS(t, s)
	var head [10]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil || binary.BigEndian.Uint64(head[2:]) != size {
		t.Fatalf("message begins % x, %v", head, err)
	}
	c.send(c.frame(0x80|opClose, "\x03\xe8")...)
	if _, err := io.CopyN(io.Discard, c.r, size); err != nil {
		t.Fatal(err)
	}
	for {
		_, payload, _, err := c.read()
		if closed := (errClosed{}); errors.As(err, &closed) && closed.code == closeNormal {
			break
		}
		if err != nil || len(payload) != size {
			t.Fatalf("%d bytes, %v", len(payload), err)
		}
	}
	c.eof()
	wait(t, s)
}
