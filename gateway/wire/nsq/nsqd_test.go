package nsq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway/wire/wiretest"
)

// nsqd models a server with one subscriber and a clock of its own. It checks that each command is
// valid and that none is missing.
type nsqd struct {
	t                   wiretest.T
	timeout, maxTimeout time.Duration
	heartbeat           time.Duration
	requeueMin          time.Duration
	coarse              time.Duration // how much earlier than arrived a message may count as such

	now       time.Duration
	commanded time.Duration // when the last command came
	beaten    bool          // a heartbeat was sent and not answered
	ready     int
	stopped   bool
	flight    map[string]*sent // by id
	fins      int
	requeues  int
	touches   int
}

// sent is a message in flight.
type sent struct {
	attempts  int
	delivered time.Duration
	touched   time.Duration // or delivered
	deadline  time.Duration
}

// deliver is a message's frame.
func (s *nsqd) deliver(n, attempts int, body string) []byte {
	s.flight[idOf(n)] = &sent{attempts, s.now, s.now, s.now + min(s.timeout, s.maxTimeout)}
	return message(n, attempts, body)
}

// pass advances the clock. No message times out before max_msg_timeout, and the client is not
// taken for dead.
func (s *nsqd) pass(to time.Duration) {
	s.t.Helper()
	s.now = to
	for id, m := range s.flight {
		if m.deadline <= s.now && m.deadline < m.delivered+s.maxTimeout {
			s.t.Fatalf("message %s, delivered at %v and touched at %v, has timed out at %v", id, m.delivered, m.touched, s.now)
		}
	}
	if s.now-s.commanded >= 2*s.heartbeat {
		s.t.Fatalf("no command from %v to %v, the heartbeat interval is %v", s.commanded, s.now, s.heartbeat)
	}
}

// take handles the client's commands.
func (s *nsqd) take(commands []byte) {
	s.t.Helper()
	for len(commands) > 0 {
		line, rest, whole := strings.Cut(string(commands), "\n")
		if !whole {
			s.t.Fatalf("half a command: %q", commands)
		}
		commands = []byte(rest)
		s.commanded = s.now
		s.command(strings.Split(line, " "))
	}
}

func (s *nsqd) command(words []string) {
	s.t.Helper()
	want := map[string]int{"FIN": 2, "REQ": 3, "TOUCH": 2, "RDY": 2, "NOP": 1, "CLS": 1}[words[0]]
	if len(words) != want {
		s.t.Fatalf("command %q", words)
	}
	var m *sent
	switch words[0] {
	case "FIN", "REQ", "TOUCH":
		if m = s.flight[words[1]]; m == nil {
			s.t.Fatalf("%q, which is not in flight", words)
		}
	}
	switch words[0] {
	case "FIN":
		s.fins++
		delete(s.flight, words[1])
	case "REQ":
		s.requeues++
		if want := s.delayOf(m.attempts); words[2] != want {
			s.t.Fatalf("%q at attempt %d, want a delay of %s", words, m.attempts, want)
		}
		delete(s.flight, words[1])
	case "TOUCH":
		s.touch(m, words[1])
	case "RDY":
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 || n > 2500 || n == s.ready || s.stopped {
			s.t.Fatalf("%q behind RDY %d, stopped: %v", words, s.ready, s.stopped)
		}
		s.ready = n
	case "NOP":
		s.beaten = false
	case "CLS":
		if s.stopped {
			s.t.Fatalf("CLS again")
		}
		s.stopped = true
	}
}

// delayOf is worked out as people would, by doubling.
func (s *nsqd) delayOf(attempts int) string {
	d := float64(s.requeueMin / time.Millisecond)
	for range attempts - 1 {
		d *= 2
	}
	return fmt.Sprintf("%.0f", min(d, 15*60*1000))
}

func (s *nsqd) touch(m *sent, id string) {
	s.t.Helper()
	s.touches++
	if s.now-m.touched < s.timeout/2-s.coarse {
		s.t.Fatalf("TOUCH %s at %v, delivered at %v, last touched at %v", id, s.now, m.delivered, m.touched)
	}
	if s.now >= m.delivered+s.maxTimeout {
		s.t.Fatalf("TOUCH %s at %v, delivered at %v, which is too late", id, s.now, m.delivered)
	}
	m.touched = s.now
	m.deadline = min(s.now+s.timeout, m.delivered+s.maxTimeout)
}
