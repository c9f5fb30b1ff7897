// Package feedtest is what the fault suites that need a feed share: a feed server of numbered messages,
// and a tap that sees each ack. Only tests import it.
package feedtest

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

// Line appends message n, without its LF.
type Line func(dst []byte, n int) []byte

var files struct {
	sync.Mutex
	made map[string]string
}

// lines returns the path of a file with the messages 1 to n, to be replayed.
func lines(t testing.TB, name string, n int, line Line) string {
	t.Helper()
	files.Lock()
	defer files.Unlock()
	name = fmt.Sprintf("%s-%d", name, n)
	if path, ok := files.made[name]; ok {
		return path
	}
	var text []byte
	for i := range n {
		text = append(line(text, i+1), '\n')
	}
	path := filepath.Join(testkit.Scratch, name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if files.made == nil {
		files.made = make(map[string]string)
	}
	files.made[name] = path
	return path
}

// Source is a feed of numbered messages.
type Source struct {
	*feedserver.Server
	t     testing.TB
	lines int
}

// Serve starts a feed of up to n messages per session, made by line, whose name is that of no other. If
// cfg makes it endless, Finish ends it, and the test fails if the messages run out before.
func Serve(t testing.TB, name string, n int, line Line, cfg feedserver.Config) *Source {
	t.Helper()
	cfg.Replay = lines(t, name, n, line)
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
	return &Source{Server: server, t: t, lines: n}
}

// Address returns the feed's HOST:PORT.
func (s *Source) Address() string { return s.Addr().String() }

// Finish stops sending and waits until every message sent is acked.
func (s *Source) Finish() feedserver.Report {
	s.t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return s.wait(now)
}

// End waits until all messages are sent and acked.
func (s *Source) End() feedserver.Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Form(testkit.Patience, 10*time.Minute))
	defer cancel()
	r := s.wait(ctx)
	if ctx.Err() != nil {
		s.t.Errorf("the feed did not end in time: %+v", r.Total)
	}
	return r
}

func (s *Source) wait(ctx context.Context) feedserver.Report {
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

// OnlySession returns the counts of the only session.
func OnlySession(t testing.TB, r feedserver.Report) feedserver.Counts {
	t.Helper()
	if len(r.Clients) != 1 {
		t.Fatalf("%d sessions, want one: %+v", len(r.Clients), r.Clients)
	}
	return r.Clients[0].Counts
}
