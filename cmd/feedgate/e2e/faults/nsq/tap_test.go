package nsq

import (
	"bytes"
	"encoding/binary"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// tap takes note of what passes a relay in the clear. Any goroutine may ask.
type tap struct {
	t  *testing.T
	mu sync.Mutex

	nops     int
	fins     uint64
	finished map[uint64]bool     // numbers of messages that were FINished
	requeues map[string][]uint64 // delays in milliseconds by message ID
}

func newTap(t *testing.T) *tap {
	return &tap{t: t, finished: make(map[uint64]bool), requeues: make(map[string][]uint64)}
}

// stream is what a tap knows of one connection: up is called by one goroutine, down by
// another.
type stream struct {
	t    *tap
	line []byte // said by the gateway, not at its end
	// What nsqd has sent and is no whole frame; then, of a long message, what is to come.
	rest []byte
	skip int
	mu   sync.Mutex
	body map[string]uint64 // number by message ID
}

// look begins a connection of a relay.
func (t *tap) look(int) (down, up testkit.Filter) {
	s := &stream{t: t, body: make(map[string]uint64)}
	return func(b []byte) []byte { s.down(b); return b }, func(b []byte) []byte { s.up(b); return b }
}

// up takes commands. What else there is, the body of IDENTIFY, ends no line.
func (s *stream) up(b []byte) {
	s.line = append(s.line, b...)
	for {
		i := bytes.IndexByte(s.line, '\n')
		if i < 0 {
			return
		}
		s.command(string(s.line[:i]))
		s.line = s.line[i+1:]
	}
}

func (s *stream) command(line string) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	switch {
	case words[0] == "NOP":
		s.t.nops++
	case words[0] == "FIN" && len(words) == 2:
		s.t.fins++
		s.mu.Lock()
		n, known := s.body[words[1]]
		s.mu.Unlock()
		if !known {
			s.t.t.Errorf("FIN of %s, which was not delivered on its connection", words[1])
		}
		s.t.finished[n] = true
	case words[0] == "REQ" && len(words) == 3:
		if delay, err := strconv.ParseUint(words[2], 10, 64); err != nil {
			s.t.t.Errorf("delay of a REQ: %v", err)
		} else {
			s.t.requeues[words[1]] = append(s.t.requeues[words[1]], delay)
		}
	}
}

// longest is the body that a tap reads the number of.
const longest = 256

// down takes frames: size, type, and of a message (type 2) timestamp, attempts, ID, body.
func (s *stream) down(b []byte) {
	if s.skip > 0 {
		n := min(s.skip, len(b))
		s.skip -= n
		b = b[n:]
	}
	s.rest = append(s.rest, b...)
	for len(s.rest) >= 8 {
		size := 4 + int(binary.BigEndian.Uint32(s.rest))
		if size > longest {
			n := min(size, len(s.rest))
			s.skip, s.rest = size-n, s.rest[n:]
			continue
		}
		if len(s.rest) < size {
			return
		}
		s.frame(s.rest[4:size])
		s.rest = s.rest[size:]
	}
}

func (s *stream) frame(b []byte) {
	if binary.BigEndian.Uint32(b) != 2 || len(b) < 30 {
		return
	}
	n, err := strconv.ParseUint(string(b[30:]), 10, 64)
	if err != nil {
		s.t.t.Errorf("a message that is no number: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body[string(b[14:30])] = n
}

func (t *tap) heartbeats() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nops
}

func (t *tap) count() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fins
}

// unfounded returns how many messages were FINished that are not in l, and one of them.
func (t *tap) unfounded(l *testkit.Ledger) (n, one uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return l.Lacking(maps.Keys(t.finished))
}

// delays are those of each message that was requeued, in order.
func (t *tap) delays() (all [][]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.requeues {
		all = append(all, append([]uint64(nil), d...))
	}
	return all
}
