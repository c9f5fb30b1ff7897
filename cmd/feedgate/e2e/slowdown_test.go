package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitingFor returns what the only upstream waits for, as a label and in words, by /stats.
func (p *process) waitingFor() (label, words string) {
	p.t.Helper()
	_, body := p.get("/stats")
	var document struct {
		Upstreams map[string]struct {
			For   map[string]int `json:"feedgate_waiting_for"`
			Words string         `json:"waiting_for"`
		}
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		p.t.Fatalf("/stats: %v: %s", err, body)
	}
	for _, u := range document.Upstreams {
		words = u.Words
		for what, is := range u.For {
			if is == 1 {
				label += what
			}
		}
	}
	return label, words
}

// awaitWaiting waits until /stats, /ready and the log of --stats-every show what the only upstream waits
// for. The words begin with the label's.
func (p *process) awaitWaiting(upstream, want, words string) {
	p.t.Helper()
	eventually(p.t, "waiting for "+want, func() bool {
		label, text := p.waitingFor()
		_, ready := p.get("/ready")
		return label == want && strings.HasPrefix(text, words) &&
			strings.Contains(ready, "upstream "+upstream+" waits for "+words)
	})
	what, _, _ := strings.Cut(words, ":")
	headline := map[bool]string{true: "Keeping up, waiting for ", false: "Waiting for "}[want == "upstream"] + what
	p.awaitHeadline(headline)
	p.waitLog("msg=stats upstream="+upstream, " waiting_for="+want+` where="`+words)
}

// TestSlowdownsAreNamed: whoever is slow is named.
func TestSlowdownsAreNamed(t *testing.T) {
	t.Parallel()
	const stats = "--stats-every=200ms"
	t.Run("feed", func(t *testing.T) {
		t.Parallel()
		p, s, c := connectFG(t, "{}", stats, newChildren(t).sink(t))
		c.send(data(1, "code=0"))
		c.acked(1)
		p.awaitWaiting(s.url(), "upstream", "the upstream: ")
		if age := p.metric("feedgate_oldest_unacked_seconds"); age != 0 {
			t.Errorf("the oldest of no messages is %v s old", age)
		}
		p.stop(c)
	})
	t.Run("handler", func(t *testing.T) {
		t.Parallel()
		kids, door := newChildren(t), newGate(t)
		p, s, c := connectFG(t, "{}", stats, "--ring=16", "--workers=1", kids.sink(t))
		c.send(data(1, door.wait()))
		c.sendN(2, 2000, "code=0")
		p.awaitWaiting(s.url(), "workers", "the workers: ")
		eventually(t, "reading is stopped", func() bool {
			return p.metric("feedgate_stopped_seconds_total", "why", "ring") > 0 && p.metric("feedgate_oldest_unacked_seconds") > 0
		})
		door.open(t)
		c.acks(2001)
		p.awaitWaiting(s.url(), "upstream", "the upstream: ")
		p.stop(c)
	})
	t.Run("sink", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "out")
		s := listenFG(t)
		p, d := runOnDisk(t, s.url(), stats, "--ring=16", "--in-flight=100", "--sink=file:"+file)
		c := s.accept()
		c.welcome(1, "{}")
		d.hang(file)
		c.sendN(1, 3, "m")
		p.awaitWaiting(s.url(), "sink", "the sink: 3 for file:"+file)
		if n := p.metric("feedgate_sink_requests", "sink", "sink"); n != 1 {
			t.Errorf("%v requests of the sink in progress", n)
		}
		c.sendN(4, 1000, "m")
		eventually(t, "reading is stopped by the sink", func() bool {
			return p.metric("feedgate_stopped_seconds_total", "why", "sink") > 0
		})
		d.release()
		c.acks(1003)
		p.awaitWaiting(s.url(), "upstream", "the upstream: ")
		if n := p.metric("feedgate_stopped_seconds_total", "why", "window") + p.metric("feedgate_stopped_seconds_total", "why", "ring"); n > 0.1 {
			t.Errorf("%v s count as stopped by a limit rather than by the sink", n)
		}
		if n := p.metric("feedgate_sink_messages_total", "sink", "sink"); n != 1003 {
			t.Errorf("the sink has taken %v messages", n)
		}
		p.stop(c)
	})
	t.Run("acks unread", func(t *testing.T) {
		t.Parallel()
		p, c := smallWindow(t, stats, "--exit-on-close", "--in-flight=4096")
		s := &sender{done: make(chan error, 1)}
		if err := c.SetWriteDeadline(time.Now().Add(volumePatience)); err != nil {
			t.Fatal(err)
		}
		go s.run(c, strings.Repeat("m", 64))
		eventually(t, "the server that reads no acks", func() bool {
			label, words := p.waitingFor()
			return label == "acks_unread" && strings.HasPrefix(words, "the server to read acks: it has read none for ") &&
				p.metric("feedgate_in_flight") > 0 && p.metric("feedgate_unsent_ack_bytes") > 0 &&
				p.metric("feedgate_oldest_unacked_seconds") > 1 &&
				p.metric("feedgate_stopped_seconds_total", "why", "acks_unread") > 0
		})
		p.awaitHeadline("Waiting for the server to read acks")
		if _, ready := p.get("/ready"); !strings.Contains(ready, " waits for the server to read acks: ") {
			t.Errorf("/ready: %s", ready)
		}
		p.waitLog(" waiting_for=acks_unread ")
		// To read all acks through so small a window would take a minute: TestUnreadAcksStopReading does.
		c.reset()
		<-s.done
		p.signal(syscall.SIGKILL)
	})
	t.Run("acks read slowly", func(t *testing.T) {
		t.Parallel()
		p, c := smallWindow(t, stats)
		s := &sender{done: make(chan error, 1)}
		if err := c.SetDeadline(time.Now().Add(volumePatience)); err != nil {
			t.Fatal(err)
		}
		go s.run(c, strings.Repeat("m", 64))
		read := make(chan error, 1)
		go func() { // about 100 KB/s, 6,000 acks
			buffer := make([]byte, 1<<10)
			for {
				if _, err := c.Read(buffer); err != nil {
					read <- err
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		eventually(t, "the server that reads acks slowly", func() bool {
			label, words := p.waitingFor()
			return label == "acks_unread" && strings.Contains(words, "more slowly than they are made") &&
				p.metric("feedgate_in_flight") > 0 && p.metric("feedgate_oldest_unacked_seconds") > 1 &&
				p.metric("feedgate_stopped_seconds_total", "why", "acks_unread") > 0
		})
		c.reset()
		<-s.done
		<-read
		p.signal(syscall.SIGKILL)
	})
}
