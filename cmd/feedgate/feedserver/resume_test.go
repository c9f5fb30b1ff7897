package feedserver

import (
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// TestResume: a session resumes at the first message without an ack. Later messages are resent even
// if they were acknowledged, and their new acks are not duplicates.
func TestResume(t *testing.T) {
	s := start(t, Config{Count: 20, Window: 10})
	c := login(t, s, "", 0)
	c.data(1, 10)
	c.ack(1, 3)
	c.ack(5, 7)
	c.data(11, 13)
	c.sync()
	c.cut()

	r := login(t, s, c.session, 0)
	if r.session != c.session || r.first != 4 {
		t.Fatalf("session %s from %d, want %s from 4", r.session, r.first, c.session)
	}
	r.data(4, 13)
	r.ack(4, 13)
	r.data(14, 20)
	r.ack(14, 20)
	r.end(fg1.CodeOK)
	report := wait(t, s)
	expect(t, report.Total, Counts{Sent: 20, Acknowledged: 20, Resent: 10, Connections: 2})
	if err := report.Err(); err != nil {
		t.Error(err)
	}
}

// TestResumeHelloSeq: HELLO's seq counts as an ACKTO.
func TestResumeHelloSeq(t *testing.T) {
	for name, test := range map[string]struct {
		ignore bool
		first  uint64
	}{
		"taken":   {false, 9}, // 8 by its ack
		"ignored": {true, 1},
	} {
		s := start(t, Config{Count: 10, IgnoreHelloSeq: test.ignore})
		c := login(t, s, "", 0)
		c.data(1, 10)
		c.ack(8, 8)
		c.sync()
		c.cut()

		c = login(t, s, c.session, 7)
		if c.first != test.first {
			t.Errorf("%s: resumes at %d, want %d", name, c.first, test.first)
		}
		c.data(test.first, 10)
		c.ack(test.first, 10)
		c.end(fg1.CodeOK)
		expect(t, wait(t, s).Total, Counts{Sent: 10, Acknowledged: 10, Resent: 11 - test.first, Connections: 2})
	}
}

// TestResumeHelloSeqTooHigh: HELLO with a seq that was never sent is refused.
func TestResumeHelloSeqTooHigh(t *testing.T) {
	s := start(t, Config{Count: 10, Window: 5})
	c := login(t, s, "", 0)
	c.data(1, 5)
	c.cut()
	c2 := newFGClient(t, s)
	c2.hello(6, `{"version":1,"session":"`+c.session+`"}`)
	if f := c2.want(fg1.Bye); f.Code != fg1.CodeBadRequest {
		t.Errorf("BYE with code %d", f.Code)
	}
	c2.eof()
	c3 := login(t, s, c.session, 5)
	c3.data(6, 10)
	c3.ack(6, 10)
	c3.end(fg1.CodeOK)
	wait(t, s)
}

// TestResumeRange: a range ack covers resent messages, whether or not they were acknowledged
// before.
func TestResumeRange(t *testing.T) {
	s := start(t, Config{Count: 30, Window: 20})
	c := login(t, s, "", 0)
	c.data(1, 20)
	c.ack(3, 5)
	c.ack(9, 9)
	c.sync()
	c.cut()

	c = login(t, s, c.session, 1)
	c.data(2, 20)
	c.sendFrame(fg1.AckTo, 0, 4)
	c.data(21, 23)
	c.sendFrame(fg1.AckTo, 0, 23)
	c.data(24, 30)
	c.sendFrame(fg1.AckTo, 0, 30)
	c.end(fg1.CodeOK)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 30, Acknowledged: 30, Resent: 19, Connections: 2})
}

// TestResumeUnknown: an unknown session name starts a new session.
func TestResumeUnknown(t *testing.T) {
	s := start(t, Config{Count: 2})
	c := login(t, s, "of-another-feed", 1000)
	if c.session == "of-another-feed" || c.first != 1 {
		t.Errorf("session %s from %d", c.session, c.first)
	}
	c.data(1, 2)
	c.ack(1, 2)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 2, Acknowledged: 2, Connections: 1})
}

// TestResumeTakesOver: a client that reconnects before the end of its old connection is read
// resumes its session.
func TestResumeTakesOver(t *testing.T) {
	s := start(t, Config{Count: 4})
	old := login(t, s, "", 0)
	old.data(1, 4)
	old.ack(1, 2)
	old.sync()
	c := login(t, s, old.session, 0)
	if c.first != 3 {
		t.Errorf("resumes at %d, want 3", c.first)
	}
	if f, err := old.read(); err == nil {
		t.Errorf("the old connection got %+v", f.Header)
	}
	c.data(3, 4)
	c.ack(3, 4)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 4, Acknowledged: 4, Resent: 2, Connections: 2})
}

// TestResumeComplete: a client that missed BYE gets it when it reconnects.
func TestResumeComplete(t *testing.T) {
	s := start(t, Config{Count: 2, Clients: 2})
	c := login(t, s, "", 0)
	c.data(1, 2)
	c.ack(1, 2)
	c.want(fg1.Bye)
	c.cut()
	c = login(t, s, c.session, 2)
	if c.first != 3 {
		t.Errorf("resumes at %d, want 3", c.first)
	}
	c.end(fg1.CodeOK)
	c = login(t, s, "", 0)
	c.data(1, 2)
	c.ack(1, 2)
	c.end(fg1.CodeOK)
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 4, Acknowledged: 4, Connections: 3})
}

// TestSessionTimeout: the session of a client that does not return ends with missing acks.
func TestSessionTimeout(t *testing.T) {
	s := start(t, Config{Count: 10, Window: 5, SessionTimeout: 50 * time.Millisecond})
	c := login(t, s, "", 0)
	c.data(1, 5)
	c.ack(1, 1)
	c.data(6, 6)
	c.cut()
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 6, Acknowledged: 1, Missing: 5, Unsent: 4, Connections: 1})
	wantFaulty(t, r)
}
