package feedserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// ackOf renders the ack for message n, by protocol.
var ackOf = map[string]func(n uint64) []byte{
	"fg":     func(n uint64) []byte { return fg1.AppendFrame(nil, fg1.Ack, 0, 0, n, nil) },
	"line":   func(n uint64) []byte { return fmt.Appendf(nil, "A%d\n", n) },
	"length": func(n uint64) []byte { return lengthAck(n, 0) },
	"ws":     wsAck,
}

func lengthAck(n uint64, code uint16) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0, 0, 0, 10}, n)
	return binary.BigEndian.AppendUint16(b, code)
}

// faultyClient receives 5 of 10 messages, sends the acks first, and then acknowledges all messages
// but skip.
func faultyClient(t *testing.T, protocol string, s *Server, first []uint64, skip uint64) Report {
	t.Helper()
	size := int64(s.cfg.Size) + int64(len(protocols[protocol](&s.cfg).appendMessage(nil, 0, nil, []byte("\n"))))
	nc := dial(t, s)
	var r io.Reader = nc
	switch protocol {
	case "fg":
		c := &fgClient{t: t, nc: nc, r: bufio.NewReaderSize(nc, fg1.HeaderSize)}
		c.hello(0, `{"version":1}`)
		c.want(fg1.Welcome)
		r = c.r
	case "ws":
		c, _, err := upgradeWS(t, nc, handshake())
		if err != nil {
			t.Fatal(err)
		}
		r = c.r
	}
	read := func(messages int64) {
		t.Helper()
		if _, err := io.CopyN(io.Discard, r, messages*size); err != nil {
			t.Fatal(err)
		}
	}
	read(5)
	var acks []byte
	for _, n := range first {
		acks = append(acks, ackOf[protocol](n)...)
	}
	for n := uint64(1); n <= 5; n++ {
		if n != skip {
			acks = append(acks, ackOf[protocol](n)...)
		}
	}
	if _, err := nc.Write(acks); err != nil {
		t.Fatal(err)
	}
	// The window moves up to the skipped message.
	for n := uint64(6); n <= 10 && (skip == 0 || n < skip+5); n++ {
		read(1)
		if _, err := nc.Write(ackOf[protocol](n)); err != nil {
			t.Fatal(err)
		}
	}
	_ = nc.Close()
	return wait(t, s)
}

func TestAckFaults(t *testing.T) {
	tests := map[string]struct {
		first []uint64
		skip  uint64
		want  Counts
		err   bool
	}{
		"none":          {want: Counts{Sent: 10, Acknowledged: 10}},
		"doubled":       {first: []uint64{2, 4, 4}, want: Counts{Sent: 10, Acknowledged: 10, Duplicate: 3}, err: true},
		"unknown":       {first: []uint64{0, 11, 1 << 40, math.MaxUint64}, want: Counts{Sent: 10, Acknowledged: 10, Unknown: 4}, err: true},
		"early":         {first: []uint64{6, 10}, want: Counts{Sent: 10, Acknowledged: 10, Early: 2}},
		"missing":       {skip: 5, want: Counts{Sent: 9, Acknowledged: 8, Missing: 1, Unsent: 1}, err: true},
		"first missing": {skip: 1, want: Counts{Sent: 5, Acknowledged: 4, Missing: 1, Unsent: 5}, err: true},
	}
	for protocol := range ackOf {
		for name, test := range tests {
			t.Run(protocol+"/"+name, func(t *testing.T) {
				s := start(t, Config{Protocol: protocol, Count: 10, Window: 5, SessionTimeout: 50 * time.Millisecond})
				r := faultyClient(t, protocol, s, test.first, test.skip)
				test.want.Connections = 1
				expect(t, r.Total, test.want)
				if (r.Err() != nil) != test.err {
					t.Errorf("Err is %v", r.Err())
				}
			})
		}
	}
}

// TestRangeAckFaults: range acks that repeat, decrease, or are ahead of the messages are counted.
func TestRangeAckFaults(t *testing.T) {
	s := start(t, Config{Count: 10, Window: 5})
	c := login(t, s, "", 0)
	c.data(1, 5)
	for _, seq := range []uint64{0, 11, 6, 3, 3, 2} {
		c.sendFrame(fg1.AckTo, 0, seq)
	}
	c.ack(3, 3) // cumulatively acked before
	c.data(6, 8)
	c.sendFrame(fg1.AckTo, 0, 8)
	c.data(9, 10)
	c.sendFrame(fg1.AckTo, 0, 10)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 10, Acknowledged: 10, Unknown: 2, Early: 1, Duplicate: 3, Connections: 1})
}

// TestDoubledAtTheEnd: a repeated ack after the last one counts as a duplicate.
func TestDoubledAtTheEnd(t *testing.T) {
	s := start(t, Config{Count: 2})
	c := login(t, s, "", 0)
	c.data(1, 2)
	c.ack(1, 2)
	c.want(fg1.Bye)
	c.ack(2, 2)
	c.sendFrame(fg1.Ping, 0, 1) // unanswered, because BYE was sent
	c.sendFrame(fg1.Bye, 0, 0)
	_ = c.nc.(*net.TCPConn).CloseWrite()
	c.eof()
	expect(t, wait(t, s).Total, Counts{Sent: 2, Acknowledged: 2, Duplicate: 1, Connections: 1})
}

// TestWindow: no more messages than Window are sent without acks; the next frame is the client's
// PONG.
func TestWindow(t *testing.T) {
	s := start(t, Config{Window: 1000, Batch: 300})
	c := login(t, s, "", 0)
	c.data(1, 1000)
	c.sync()
	c.ack(2, 1000)
	c.sync()
	c.ack(1, 1)
	c.data(1001, 2000)
	c.sync()
}
