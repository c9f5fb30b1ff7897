package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStateFileIsLocked: a second process with the same state file, under any name, ends at once
// and does not change the first one's session. Temporary files of a killed process are removed.
func TestStateFileIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state, link, left := filepath.Join(dir, "state"), filepath.Join(dir, "link"), filepath.Join(dir, "state.01234567.tmp")
	if err := os.Symlink(state, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, other := listenFG(t), listenFG(t)
	first := run(t, s.url(), "--state="+state)
	c := s.accept()
	c.welcome(1, `{"session":"kept"}`)
	if _, err := os.Stat(left); err == nil {
		t.Error("the temporary file of a killed process is still there")
	}
	for _, name := range []string{state, link} {
		got := command(t, nil, "run", other.url(), "--sink=discard:", "--admin=", "--state="+name)
		if got.status != 1 || !strings.Contains(got.stderr, "--state: "+name) || !strings.Contains(got.stderr, "in use") {
			t.Errorf("%s in use: status %d, %s", name, got.status, got.stderr)
		}
	}
	c.send(data(1, "a"))
	c.acked(1)
	first.stop(c)
	if text, err := os.ReadFile(state); err != nil || !strings.Contains(string(text), "kept") {
		t.Errorf("the first process's session is missing: %q, %v", text, err)
	}
	second := run(t, s.url(), "--state="+link)
	c = s.accept()
	if seq, h := c.welcome(2, `{"session":"kept"}`); seq != 1 || *h.Session != "kept" {
		t.Errorf("HELLO seq %d session %q, want 1 and kept", seq, *h.Session)
	}
	second.stop(c)
}

// TestSessionIsFoundByAnyHost: an upstream with one host in common gets the stored session, which
// then has the new hosts.
func TestSessionIsFoundByAnyHost(t *testing.T) {
	t.Parallel()
	state := "--state=" + filepath.Join(t.TempDir(), "state")
	s, other := listenFG(t), listenFG(t)
	host := func(s *fgServer) string { return strings.TrimPrefix(s.url(), "fg://") }
	for i, hosts := range []string{host(s), host(other) + "," + host(s), host(other)} {
		p := run(t, "fg://"+hosts, state)
		at := s
		if i > 0 {
			at = other // is tried first
		}
		c := at.accept()
		first := uint64(i) + 1
		if seq, h := c.welcome(first, `{"session":"kept"}`); i > 0 && (seq != first-1 || *h.Session != "kept") {
			t.Errorf("%s: HELLO seq %d session %q, want %d and kept", hosts, seq, *h.Session, first-1)
		}
		c.send(data(first, "m"))
		c.acked(first)
		p.stop(c)
	}

	// A session that matches two upstreams is an error.
	p := run(t, "fg://"+host(other)+","+host(s), state)
	c := other.accept()
	c.welcome(4, `{"session":"kept"}`)
	p.stop(c)
	got := command(t, nil, "run", s.url(), other.url(), "--sink=discard:", "--admin=", state)
	if got.status != 2 || !strings.Contains(got.stderr, "--state: ") {
		t.Errorf("two upstreams for one stored session: status %d, %s", got.status, got.stderr)
	}
	got = command(t, nil, "run", s.url(), "fg://a:1,"+host(s), "--sink=discard:", "--admin=", state)
	if got.status != 2 || !strings.Contains(got.stderr, "--state: ") {
		t.Errorf("two upstreams with a host in common: status %d, %s", got.status, got.stderr)
	}
}
