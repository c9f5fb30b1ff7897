package e2e

import (
	"testing"
)

// TestProtocolErrorsReconnect: the gateway sends BYE 5 and closes, counts the reason, and resumes
// the session.
func TestProtocolErrorsReconnect(t *testing.T) {
	t.Parallel()
	header := func(length uint32, f frame) []byte { return appendHeader(nil, length, f) }
	all := func(frames ...frame) (b []byte) {
		for _, f := range frames {
			b = f.append(b)
		}
		return b
	}
	for name, c := range map[string]struct {
		bytes  []byte
		reason string
	}{
		"the same seq again":       {all(data(1, "one")), "seq_back"},
		"a seq before the first":   {all(data(0, "zero")), "seq_back"},
		"op 0":                     {all(frame{op: 0}), "unknown_op"},
		"op 8":                     {all(frame{op: 8}), "unknown_op"},
		"op 9":                     {all(frame{op: 9}), "unknown_op"},
		"op 11":                    {all(frame{op: 11}), "unknown_op"},
		"op 255":                   {all(frame{op: 255}), "unknown_op"},
		"ACK from the server":      {all(frame{op: opAck, seq: 1}), "unexpected_op"},
		"ACKTO from the server":    {all(frame{op: opAckTo, seq: 1}), "unexpected_op"},
		"HELLO from the server":    {all(frame{op: opHello}), "unexpected_op"},
		"a second WELCOME":         {all(frame{op: opWelcome, seq: 2, payload: []byte("{}")}), "unexpected_op"},
		"an undefined flag":        {all(frame{op: opData, flags: 2, seq: 2}), "bad_flags"},
		"MORE and another flag":    {all(frame{op: opData, flags: 0x81, seq: 2}), "bad_flags"},
		"a flag on PING":           {all(frame{op: opPing, flags: 0x80}), "bad_flags"},
		"another message in parts": {all(part(2, "a"), data(3, "b")), "parts"},
		"another seq in parts":     {all(part(2, "a"), part(9, "b")), "parts"},
		"length 0":                 {header(0, data(2, "")), "bad_length"},
		"length 11":                {header(11, data(2, "")), "bad_length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, conn := connectFG(t, `{"session":"strict"}`)
			conn.send(data(1, "one"))
			conn.acked(1)
			conn.sendBytes(c.bytes)
			before, last := conn.untilBye()
			if len(before) > 0 || last.code != 5 {
				t.Errorf("%v, then %v; want BYE with code 5", before, last)
			}
			conn.close()
			conn = s.accept()
			if seq, h := conn.welcome(2, `{"session":"strict"}`); seq != 1 || *h.Session != "strict" {
				t.Errorf("HELLO seq %d session %q after the error", seq, *h.Session)
			}
			p.protocolErrors(1, c.reason)
			if all := p.metric("feedgate_protocol_errors_total"); all != 1 {
				t.Errorf("%v protocol errors in all, want 1", all)
			}
			p.waitMetric(1, "feedgate_reconnects_total")
			conn.send(data(2, "two"))
			conn.acked(2)
			p.stop(conn)
		})
	}
}

// TestControlFramesAreShort: a control frame whose header announces gigabytes is an error at once.
func TestControlFramesAreShort(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]byte{"PING": opPing, "BYE": opBye} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, conn := connectFG(t, "{}")
			conn.sendBytes(appendHeader(nil, 1<<31, frame{op: op}))
			if _, last := conn.untilBye(); last.code != 3 && last.code != 5 {
				t.Errorf("%v, want code 3 or 5", last)
			}
			conn.close()
			conn = s.accept()
			conn.welcome(1, "{}")
			eventually(t, "too_large or bad_length is counted", func() bool {
				return p.metric("feedgate_protocol_errors_total", "reason", "too_large")+
					p.metric("feedgate_protocol_errors_total", "reason", "bad_length") == 1
			})
			p.stop(conn)
		})
	}
}

// TestFramesMayArriveByteByByte: reads may split a frame anywhere.
func TestFramesMayArriveByteByByte(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
	stream := data(1, "first").append(nil)
	stream = part(2, "se").append(stream)
	stream = data(2, "cond").append(stream)
	stream = data(3, "").append(stream)
	for i := range stream {
		c.sendBytes(stream[i : i+1])
	}
	c.acked(1, 2, 3)
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, "first", "second", "")
}
