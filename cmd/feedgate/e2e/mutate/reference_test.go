package mutate

import (
	"testing"

	"feedgate/gateway/wire/fg1"
)

// TestWebSocketReference: the suite counts complete messages from wherever a gateway may find the
// end of the HTTP head.
func TestWebSocketReference(t *testing.T) {
	t.Parallel()
	const frame = "\x82\x01x"
	for _, c := range []struct {
		sent string
		want int
	}{
		{"HTTP/1.1 101 x\r\nA: b\r\n\r\n" + frame, 1},
		{"HTTP/1.1 101 x\nA: b\n\n" + frame, 1},
		{"HTTP/1.1 101 x\r\nA: b\n\r\n" + frame, 1},
		{"HTTP/1.1 101 x\r\nA: b\r\n\n" + frame + frame, 2},
		{"HTTP/1.1 103 x\n\nHTTP/1.1 101 x\r\n\r\n" + frame, 1},
		{"HTTP/1.1 101 x\r\nA: b\r\n" + frame, 0},
		{"HTTP/1.1 101 x\r\nA: b\r\r" + frame, 0},
		{"", 0},
	} {
		if got := (ws{}).whole([]byte(c.sent)); got != c.want {
			t.Errorf("%q has %d messages, want %d", c.sent, got, c.want)
		}
	}
}

// TestRenameInErrorTexts: the marker is replaced in the text of nsqd's error frames, and nowhere else.
func TestRenameInErrorTexts(t *testing.T) {
	t.Parallel()
	var got, want conversation
	for _, c := range []struct {
		kind      uint32
		was, left string
	}{
		{nsqError, "E_FIN_FAILED " + marker + " x", "E_FIN_FAILED mutant x"},
		{nsqError, "E_FIN_FAILED\x00" + marker, "E_FIN_FAILED\x00" + marker},
		{nsqMessage, marker, marker},
		{nsqResponse, marker, marker},
		{nsqError, marker, "mutant"},
	} {
		got.nsqFrame(c.kind, []byte(c.was))
		want.nsqFrame(c.kind, []byte(c.left))
	}
	nsq{}.rename(got.b)
	if string(got.b) != string(want.b) {
		t.Errorf("%q, want %q", got.b, want.b)
	}
}

// TestGapReference: an ACKTO acks the messages that arrived before its own, but not one that fills a
// gap later.
func TestGapReference(t *testing.T) {
	t.Parallel()
	var sent conversation
	sent.frame(fg1.Welcome, 0, 1, "{}")
	for _, seq := range []uint64{1, 5, 3} {
		sent.frame(fg1.Data, 0, seq, "x")
	}
	for _, c := range []struct {
		name  string
		acks  []uint64 // of each
		wrong bool
		want  int
	}{
		{"no other ack", nil, false, 2},
		{"the gap's message", []uint64{3}, false, 3},
		{"the gap's message, twice", []uint64{3, 3}, true, 3},
		{"a cumulatively acked message", []uint64{1}, true, 2},
		{"a message never sent", []uint64{4}, true, 3},
	} {
		var got conversation
		got.frame(fg1.Hello, 0, 0, "{}")
		got.frame(fg1.AckTo, 0, 5, "")
		for _, seq := range c.acks {
			got.frame(fg1.Ack, 0, seq, "")
		}
		acked, err := fg{}.judge(sent.b, got.b)
		if (err != nil) != c.wrong || len(acked) != c.want {
			t.Errorf("%s: %d acked, %v", c.name, len(acked), err)
		}
	}
}
