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

// tap records what passes a relay in plaintext. Any goroutine may call its methods.
type tap struct {
	t  *testing.T
	mu sync.Mutex

	nops     int
	fins     uint64
	finished map[uint64]bool     // numbers of FINished messages
	requeues map[string][]uint64 // delays in milliseconds by message ID
}

func newTap(t *testing.T) *tap {
	return &tap{t: t, finished: make(map[uint64]bool), requeues: make(map[string][]uint64)}
}

// stream decodes one connection. One goroutine calls up, another one down.
type stream struct {
	t    *tap
	line []byte // up: an unfinished command
	rest []byte // down: an unfinished frame
	skip int    // down: bytes of a long frame still to skip
	mu   sync.Mutex
	body map[string]uint64 // number by message ID
}

// observe returns the filters of a new connection; see testkit.RelayOptions.
func (t *tap) observe(int) (down, up testkit.Filter) {
	s := &stream{t: t, body: make(map[string]uint64)}
	return func(b []byte) []byte { s.down(b); return b }, func(b []byte) []byte { s.up(b); return b }
}

// up decodes commands. The body of IDENTIFY has no LF and so reads as part of the next line.
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

// longest is the length of the longest frame that is decoded.
const longest = 256

// down decodes frames: size, type, and for a message (type 2) timestamp, attempts, ID, body.
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
		s.t.t.Errorf("the body of a message: %v", err)
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

// premature returns how many messages were FINished that are not in l, and one of them.
func (t *tap) premature(l *testkit.Ledger) (n, one uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return l.Lacking(maps.Keys(t.finished))
}

// delays returns the REQ delays of each requeued message, in order.
func (t *tap) delays() (all [][]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.requeues {
		all = append(all, append([]uint64(nil), d...))
	}
	return all
}
