package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startSession begins a new session while the disk of the state file hangs, and sends a message.
func startSession(d *hungDisk, state string, c *fgConn) {
	c.t.Helper()
	c.hello()
	d.hang(filepath.Dir(state))
	c.send(frame{op: opWelcome, seq: 1, payload: []byte(`{"session":"fresh"}`)})
	c.fence(7)
	c.send(data(1, "fresh one"), frame{op: opPing, seq: 8})
	if f := c.next(); f.op != opPong || f.seq != 8 {
		c.t.Fatalf("got %v, want the PONG before the waiting message's ack", f)
	}
}

// TestStateDiskHangs: the disk of --state hangs while a session begins. Only the session's messages
// wait: heartbeats are answered, other upstreams and the admin address work, and /ready reports the
// reason. Once the disk works again, the state file has the session before the sink gets its first
// message.
func TestStateDiskHangs(t *testing.T) {
	t.Parallel()
	state, out := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "out")
	a, b := listenFG(t), listenFG(t)
	p, d := runOnDisk(t, a.url(), b.url(), "--state="+state, "--sink=file:"+out, "--heartbeat=100ms")
	known := a.accept()
	known.welcome(1, `{"session":"known"}`)
	known.send(data(1, "known"))
	known.acked(1)
	fresh := b.accept()
	startSession(d, state, fresh)

	eventually(t, "/ready names the state file", func() bool {
		status, body := p.get("/ready")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "--state: the disk of ")
	})
	p.waitLog("the disk of --state hangs", "level=WARN")
	for seq := uint64(2); seq < 20; seq++ {
		known.send(data(seq, "known"))
		known.acked(seq)
	}
	for range 3 { // the gateway sends heartbeats, too
		f, err := fresh.read()
		if err != nil || f.op != opPing {
			t.Fatalf("got %v, %v; want a PING", f, err)
		}
	}
	if status, _ := p.get("/stats"); status != http.StatusOK {
		t.Errorf("/stats: %d", status)
	}
	if text, err := os.ReadFile(out); err != nil || strings.Contains(string(text), "fresh") || holds(t, state, "fresh") {
		t.Errorf("the sink has a message of the new session, or the state file has the session: %q, %v", text, err)
	}

	d.release()
	fresh.acked(1)
	if !holds(t, state, "fresh") {
		t.Error("the session is not in the state file")
	}
	eventually(t, "/ready", func() bool { status, _ := p.get("/ready"); return status == http.StatusOK })
	p.stop(known, fresh)
}

// TestStopWhileTheStateHangs: nothing is in flight, so the connection ends at once. The process
// waits for the disk until --drain-timeout, and logs that the file may be outdated.
func TestStopWhileTheStateHangs(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"first signal": {"--drain-timeout=2s"}, "second signal": {"--drain-timeout=1h"}, "disk answers": {"--drain-timeout=1h"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "state")
			s := listenFG(t)
			p, d := runOnDisk(t, append(args, s.url(), "--state="+state)...)
			c := s.accept()
			startSession(d, state, c)
			p.signal(syscall.SIGTERM)
			if before, last := c.untilBye(); len(before) > 0 || last.code != 6 {
				t.Errorf("%v, then %v", before, last)
			}
			c.close()
			began, status := time.Now(), 1
			switch name {
			case "second signal":
				p.signal(syscall.SIGTERM)
			case "disk answers":
				d.release()
				status = 0
			}
			p.exit(status)
			if took := time.Since(began); took > patience/2 {
				t.Errorf("the process ended after %v", took)
			}
			text := p.stderr.String()
			behind := strings.Contains(text, "--state: "+state+" may be behind") || strings.Contains(text, notInTime)
			if behind != (status == 1) || !strings.Contains(text, "dropped=1") || strings.Contains(text, " in flight;") {
				t.Errorf("status %d:\n%s", status, text)
			}
		})
	}
}

// TestStartWhileTheStateHangs: one signal ends the start.
func TestStartWhileTheStateHangs(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	p, d := runOnDiskWith(t, launch{args: []string{"fg://127.0.0.1:1", "--state=" + state}, hung: filepath.Dir(state)})
	d.waitHung(filepath.Dir(state))
	p.waitLog("admin address")
	p.signal(syscall.SIGTERM)
	p.exit(0)
	if !strings.Contains(p.stderr.String(), "during the start") {
		t.Error("the log does not name the start")
	}
}

// holds reports whether the file at path contains the text.
func holds(t *testing.T, path, text string) bool {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), text)
}
