package feed

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// digits is the length of a message: its number, padded with zeros.
const digits = 9

var numberFiles struct {
	sync.Mutex
	made map[int]string
}

// numbers returns the path of a file with the lines 1 to n, to be replayed.
func numbers(t *testing.T, n int) string {
	t.Helper()
	numberFiles.Lock()
	defer numberFiles.Unlock()
	if path, ok := numberFiles.made[n]; ok {
		return path
	}
	var text []byte
	for i := range n {
		text = fmt.Appendf(text, "%0*d\n", digits, i+1)
	}
	path := filepath.Join(testkit.Scratch, fmt.Sprintf("numbers-%d", n))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if numberFiles.made == nil {
		numberFiles.made = make(map[int]string)
	}
	numberFiles.made[n] = path
	return path
}

// source is a feed of numbered messages.
type source struct {
	*feedserver.Server
	t     *testing.T
	lines int
}

// serve starts a feed of up to lines messages per session. If cfg makes it endless, finish ends
// it, and the test fails if the numbers run out before.
func serve(t *testing.T, lines int, cfg feedserver.Config) *source {
	t.Helper()
	cfg.Replay = numbers(t, lines)
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 10 * testkit.Patience
	}
	cfg.DrainTimeout = testkit.Patience
	server, err := feedserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return &source{Server: server, t: t, lines: lines}
}

func (s *source) address() string { return s.Addr().String() }

// finish stops sending and waits until every message sent is acked.
func (s *source) finish() feedserver.Report {
	s.t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return s.wait(now)
}

// end waits until all numbers are sent and acked.
func (s *source) end() feedserver.Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Form(testkit.Patience, 10*time.Minute))
	defer cancel()
	r := s.wait(ctx)
	if ctx.Err() != nil {
		s.t.Errorf("the feed did not end in time: %+v", r.Total)
	}
	return r
}

func (s *source) wait(ctx context.Context) feedserver.Report {
	s.t.Helper()
	r, err := s.Wait(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range r.Clients {
		if r.Clients[i].Sent > uint64(s.lines) {
			s.t.Fatalf("%d messages were sent, more than the %d numbers", r.Clients[i].Sent, s.lines)
		}
	}
	return r
}

// onlySession returns the counts of the only session.
func onlySession(t *testing.T, r feedserver.Report) feedserver.Counts {
	t.Helper()
	if len(r.Clients) != 1 {
		t.Fatalf("%d sessions, want one: %+v", len(r.Clients), r.Clients)
	}
	return r.Clients[0].Counts
}
