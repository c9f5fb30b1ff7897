package feedserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is the limit for every wait of a test.
const patience = 15 * time.Second

func TestMain(m *testing.M) {
	// gnet starts the goroutines of its global pool when it is loaded.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// start starts a feed, which is closed when the test ends.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// payload returns the payload of message n of a session, from 1.
func (s *Server) payload(n uint64) []byte {
	return s.source.payloads[(n-1)%uint64(len(s.source.payloads))]
}

// wait waits for the end of a feed and returns its report.
func wait(t *testing.T, s *Server) Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := s.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("the feed did not end; %+v", r)
	}
	return r
}

// drain begins a drain of a feed. The channel gets the report.
func drain(t *testing.T, s *Server) <-chan Report {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reports := make(chan Report, 1)
	go func() {
		r, err := s.Wait(ctx)
		if err != nil {
			t.Error(err)
		}
		reports <- r
	}()
	return reports
}

// dial connects to a feed. The connection is closed when the test ends, and its reads and writes
// fail after patience.
func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// expect compares counts, except rates and latencies.
func expect(t *testing.T, got Counts, want Counts) {
	t.Helper()
	got.Seconds, got.MsgsPerS, got.MBPerS = 0, 0, 0
	got.P50US, got.P99US, got.P999US, got.MaxUS = 0, 0, 0, 0
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// wantFaulty checks that the report has wrong acks.
func wantFaulty(t *testing.T, r Report) {
	t.Helper()
	if err := r.Err(); !errors.Is(err, ErrAcks) {
		t.Errorf("Err is %v, want ErrAcks", err)
	}
}
