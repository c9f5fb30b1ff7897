package gateway

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// TestStateFileContents: an empty file counts as new; a file that is no state file is not changed.
func TestStateFileContents(t *testing.T) {
	for _, c := range []struct {
		contents string
		good     bool
	}{
		{"", true},
		{`{"version":1}`, true},
		{`{"version":2}`, false},
		{"\n", false},
		{"{}", false},
	} {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, []byte(c.contents), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenState(path, nil)
		if (err == nil) != c.good {
			t.Errorf("%q: %v", c.contents, err)
		}
		if err == nil {
			s.set("fg://a:1", stateEntry{"s", 7})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if e := mustState(t, path).get("fg://a:1"); e != (stateEntry{"s", 7}) {
				t.Errorf("%q: %+v was kept, want s 7", c.contents, e)
			}
		} else if b, err := os.ReadFile(path); string(b) != c.contents {
			t.Errorf("%q became %q, %v", c.contents, b, err)
		}
	}
}

func TestStateSurvivesRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	feed := newTestFeed(t)
	run := func(serve func()) {
		cfg := testConfig(t, feed.url(), accept)
		var err error
		if cfg.State, err = OpenState(path, cfg.Log); err != nil {
			t.Fatal(err)
		}
		r := start(t, cfg)
		serve()
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if err := cfg.State.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(func() {
		conn := feed.login(1, `{"session":"s"}`)
		for seq := uint64(1); seq <= 5; seq++ {
			conn.data(seq, "x")
		}
		conn.ackSet(5)
		conn.bye()
		conn.expect(fg1.Bye, 0, 0)
		conn.Close()
	})
	run(func() {
		conn := feed.login(4, `{"session":"s"}`)
		if conn.hello.Session != "s" || conn.seq != 5 {
			t.Errorf("HELLO after the restart: %+v seq %d, want s 5", conn.hello, conn.seq)
		}
		for seq := uint64(4); seq <= 6; seq++ {
			conn.data(seq, "x") // the previous process has done 4 and 5
		}
		conn.ackSet(3)
		conn.bye()
		conn.expect(fg1.Bye, 0, 0)
		conn.Close()
	})
	if e := mustState(t, path).get(feed.url()); e != (stateEntry{"s", 6}) {
		t.Errorf("state %+v, want s 6", e)
	}
}

// get returns the entry of the upstream with this URL.
func (s *State) get(url string) stateEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[url]
}

func mustState(t *testing.T, path string) *State {
	t.Helper()
	s, err := OpenState(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSessionNamedFirst: the state file contains a session before any of its messages is handled.
func TestSessionNamedFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	feed := newTestFeed(t)
	url := feed.url()
	named := make(chan string, 2)
	cfg := testConfig(t, url, func(worker.Message) worker.Code {
		var f stateFile
		if b, err := os.ReadFile(path); err != nil || json.Unmarshal(b, &f) != nil {
			t.Errorf("state file: %q, %v", b, err)
		}
		named <- f.Upstreams[url].Session
		return worker.OK
	})
	var err error
	if cfg.State, err = OpenState(path, cfg.Log); err != nil {
		t.Fatal(err)
	}
	defer cfg.State.Close()
	r := start(t, cfg)
	for _, session := range []string{"s", "other"} {
		conn := feed.login(1, `{"session":"`+session+`"}`)
		conn.data(1, "a")
		if got := <-named; got != session {
			t.Errorf("the state file names %q, want %q", got, session)
		}
		conn.ackSet(1)
		if session == "other" {
			conn.bye()
			conn.expect(fg1.Bye, 0, 0)
		}
		conn.Close()
	}
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}
