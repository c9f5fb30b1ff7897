package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// awaitStall waits until /ready is 503 because an upstream is stalled, and returns the text after
// its label. The log has the same text.
func (p *process) awaitStall(upstream string) string {
	p.t.Helper()
	prefix := "upstream " + upstream + " is stalled: "
	var where string
	eventually(p.t, prefix, func() bool {
		status, body := p.get("/ready")
		for line := range strings.Lines(body) {
			if rest, ok := strings.CutPrefix(line, prefix); ok && status == http.StatusServiceUnavailable {
				where = strings.TrimSuffix(rest, "\n")
			}
		}
		return where != ""
	})
	p.waitLog(`level=WARN msg=stalled upstream=` + upstream + ` where="` + where + `"` + "\n")
	return where
}

// stallLines returns how many stalls the log reports, and how many ends of stalls.
func (p *process) stallLines() (begun, over int) {
	log := p.stderr.String()
	return strings.Count(log, "level=WARN msg=stalled "), strings.Count(log, `level=INFO msg=resumed `)
}

// checkStallLoggedOnce checks that the current stall is logged once.
func (p *process) checkStallLoggedOnce() {
	p.t.Helper()
	if begun, over := p.stallLines(); begun != over+1 {
		p.t.Errorf("%d stalls and %d ends are logged during a stall", begun, over)
	}
}

// awaitResume waits until /ready is 200 and the log reports the end of every stall.
func (p *process) awaitResume() {
	p.t.Helper()
	eventually(p.t, "the end of every stall", func() bool {
		status, _ := p.get("/ready")
		begun, over := p.stallLines()
		return status == http.StatusOK && begun == over
	})
}

// sendN sends n messages of the same text, numbered from first, in one write.
func (c *fgConn) sendN(first uint64, n int, text string) {
	c.t.Helper()
	var frames []frame
	for i := range n {
		frames = append(frames, data(first+uint64(i), text))
	}
	c.send(frames...)
}

// TestStallOnAHungDisk: the disk of the sink's file, or of the dead letters, hangs.
func TestStallOnAHungDisk(t *testing.T) {
	t.Parallel()
	for name, sinks := range map[string]func(file string) (args []string, where string){
		"sink": func(file string) ([]string, string) {
			return []string{"--sink=file:" + file}, "3 for file:" + file + ` \(deferred by worker 0\)`
		},
		"dead letters": func(file string) ([]string, string) {
			return []string{newChildren(t).sink(t), "--dead-letter=file:" + file, "--workers=1"},
				"3 for dead letters in file:" + file + ` \(deferred by worker 0\)`
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "out")
			args, want := sinks(file)
			s := listenFG(t)
			p, d := runOnDisk(t, append([]string{s.url(), "--stall-after=1s"}, args...)...)
			c := s.accept()
			c.welcome(1, "{}")
			c.send(data(1, "code=1"))
			c.acks(1)
			if status, body := p.get("/ready"); status != http.StatusOK {
				t.Errorf("/ready: %d %s", status, body)
			}
			d.hang(file)
			c.sendN(2, 3, "code=1")
			if where := p.awaitStall(s.url()); !regexp.MustCompile("^no message was done for 1s: 3 wait: " + want + "$").MatchString(where) {
				t.Errorf("stalled: %s, not %s", where, want)
			}
			p.checkStallLoggedOnce()
			d.release()
			c.acks(3)
			p.awaitResume()
			c.send(data(5, "code=1"))
			c.acks(1)
			d.hang(file)
			c.send(data(6, "code=1"))
			p.awaitStall(s.url())
			d.release()
			c.acks(1)
			p.awaitResume()
			p.stop(c)
		})
	}
}

// TestStallOfAChild: a child of exec: is suspended. The log counts the messages by where they wait.
func TestStallOfAChild(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, s, c := connectFG(t, "{}", kids.sink(t), "--stall-after=1s", "--dispatch=key", "--key=field:2: ",
		"--workers=1", "--ring=16", "--retries=1", "--retry-min=1h")
	c.send(data(1, "code=0 a"))
	c.acked(1)
	pid := kids.deliveries(t)[0].pid
	// One message fails and waits for an hour. Another one of its key waits for it.
	c.sendN(2, 2, "code=1 b")
	eventually(t, "the first try", func() bool { return kids.times(t, "code=1 b") == 1 })
	where := p.awaitStall(s.url())
	if !strings.HasSuffix(where, ": 2 wait: 1 for a retry, 1 behind an earlier message of their key") {
		t.Errorf("stalled: %s", where)
	}
	p.checkStallLoggedOnce()
	c.send(data(4, "code=0 c"))
	c.acked(4)
	p.awaitResume()
	suspend(t, pid)
	for i := range 100 {
		c.send(data(uint64(5+i), fmt.Sprint("code=0 k", i)))
	}
	where = p.awaitStall(s.url())
	p.checkStallLoggedOnce()
	form := regexp.MustCompile(`: \d+ wait: \d+ for exec:\S+ \(deferred by worker 0\)(, \d+ in rings)?, 1 for a retry, 1 behind an earlier message of their key(, \d+ for space in rings or in flight)?$`)
	if !form.MatchString(where) {
		t.Errorf("stalled: %s", where)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.acks(100)
	p.signal(syscall.SIGKILL) // the retry would delay a drain
	p.exit(-1)
}

// TestStallOfStdout: nobody reads standard output. Each stalled upstream is reported, and no other.
func TestStallOfStdout(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	one, two := listenFG(t), listenFG(t)
	p := runWith(t, launch{args: []string{one.url(), two.url(), "--sink=stdout:", "--stall-after=1s"}, stdout: w})
	w.Close()
	c, c2 := one.accept(), two.accept()
	c.welcome(1, "{}")
	c2.welcome(1, "{}")
	c.send(data(1, strings.Repeat("x", 100_000)), data(2, "y"))
	where := p.awaitStall(one.url())
	form := regexp.MustCompile(`: 2 wait: [12] for stdout: \(in a call by worker 0\)(, 1 in rings)?$`)
	if !form.MatchString(where) {
		t.Errorf("stalled: %s", where)
	}
	if _, body := p.get("/ready"); strings.Contains(body, two.url()) {
		t.Errorf("/ready names an upstream without messages: %s", body)
	}
	c2.send(data(1, "z"))
	p.awaitStall(two.url())
	go func() {
		// From now on, standard output is read.
		_, _ = r.WriteTo(discard{})
	}()
	c.acked(1, 2)
	c2.acked(1)
	p.awaitResume()
	p.stop(c, c2)
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// TestNoStall: with --stall-after=0 no stall is reported.
func TestNoStall(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	door := newGate(t)
	p, _, c := connectFG(t, "{}", kids.sink(t), "--stall-after=0", "--workers=1")
	c.send(data(1, door.wait()))
	eventually(t, "the child has the message", func() bool { return kids.times(t, door.wait()) == 1 })
	if status, body := p.get("/ready"); status != http.StatusOK {
		t.Errorf("/ready: %d %s", status, body)
	}
	door.open(t)
	c.acked(1)
	p.stop(c)
	if strings.Contains(p.stderr.String(), "stalled") {
		t.Error("a stall is logged although that is disabled")
	}
}
