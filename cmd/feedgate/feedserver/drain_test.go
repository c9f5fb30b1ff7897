package feedserver

import (
	"context"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// TestFGDrain: when the context ends, an endless feed waits for the acks and sends BYE with code 6.
func TestFGDrain(t *testing.T) {
	s := start(t, Config{Window: 100, DrainTimeout: patience})
	c := login(t, s, "", 0)
	c.data(1, 100)
	c.ack(1, 50)
	c.data(101, 150)
	reports := drain(t, s)
	c.ack(51, 150)
	code, err := c.ackAll()
	if err != nil || code != fg1.CodeShuttingDown {
		t.Errorf("BYE with code %d, %v", code, err)
	}
	c.eof()
	r := <-reports
	if r.Total.Sent < 150 || r.Total.Acknowledged != r.Total.Sent || r.Err() != nil {
		t.Errorf("%+v", r.Total)
	}
}

// TestFGDrainTimeout: a drain waits for missing acks no longer than DrainTimeout.
func TestFGDrainTimeout(t *testing.T) {
	s := start(t, Config{Window: 100, DrainTimeout: 50 * time.Millisecond})
	c := login(t, s, "", 0)
	c.data(1, 100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := s.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, r.Total, Counts{Sent: 100, Missing: 100, Connections: 1})
	wantFaulty(t, r)
}

// TestFGReport: Report shows the counts of an open session.
func TestFGReport(t *testing.T) {
	s := start(t, Config{Window: 10})
	if r := s.Report(); len(r.Clients) != 0 || r.Total != (Counts{}) {
		t.Errorf("before the first client: %+v", r)
	}
	c := login(t, s, "", 0)
	c.data(1, 10)
	c.ack(1, 4)
	c.data(11, 14)
	expect(t, s.Report().Total, Counts{Sent: 14, Acknowledged: 4, Missing: 10, Connections: 1})
}
