package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/testkit"
)

// schedule drives a loop through a random schedule against a peer that obeys no protocol.
// TestSimulation shows that messages and acks are correct, with FG/1. A schedule covers what FG/1
// does not have: every trait, and every event in any state.
type schedule struct {
	t         *testing.T
	seed      uint64
	rng       *rand.Rand
	clock     time.Duration
	l         *loop
	sock      *schedSocket // nil: none
	closed    bool         // the peer's close was decoded on it
	dialing   bool
	cancelled context.Context

	takes     int  // most bytes that the peer's kernel accepts at once
	forgets   bool // the peer's sessions do not outlive a connection
	heartbeat time.Duration
	fatal     int // percentage of the peer's actions that end the connection

	asleep, rung bool
	due          time.Duration // when to turn the loop; 0: never
	turns        int
	trail        bytes.Buffer // a trace
}

const (
	schedEvents = 400 // most events before the drain
	schedTurns  = 20_000
)

// runSchedule runs a seed and returns its trace.
func runSchedule(t *testing.T, seed uint64, prepare func(*loop)) []byte {
	s := &schedule{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), clock: 1}
	s.begin()
	defer s.l.slabs.close()
	if prepare != nil {
		prepare(s.l)
	}
	events := s.rng.IntN(schedEvents)
	for range events {
		if s.l.stop.done {
			break
		}
		s.event()
		s.run()
	}
	s.note("drain")
	s.l.drain()
	s.wake()
	for s.turns = 0; !s.l.stop.done && s.turns < schedTurns; {
		s.event()
		s.run()
		s.work(s.rng.IntN(2))
		if !s.runnable() {
			s.jump()
		}
	}
	if !s.l.stop.done {
		t.Fatalf("seed %d: the loop does not end", seed)
	}
	s.note("end: %v", s.l.stop.err)
	s.end()
	return s.trail.Bytes()
}

// begin draws the protocol and the settings.
func (s *schedule) begin() {
	r := s.rng
	cfg := testConfig(s.t, "ws://a:1,b:1", nil)
	cfg.Sink = testkit.ByCode(func(m worker.Message) worker.Code {
		return among(s.rng, worker.OK, worker.OK, worker.Refused)
	})
	cfg.Log = slog.New(slog.NewTextHandler(&s.trail, &slog.HandlerOptions{
		Level:       slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return dropTime(a) },
	}))
	cfg.ExitOnClose = r.IntN(2) == 0
	cfg.ConnectTimeout, cfg.WriteTimeout, cfg.DrainTimeout = time.Second, 2*time.Second, 3*time.Second
	cfg.IdleTimeout = among(r, NoTimeout, 5*time.Second)
	cfg.ConnectAttempts = among(r, 0, 0, 4)
	cfg.InFlight, cfg.Ring = among(r, 2, 8, 1000), 8
	set, err := cfg.validate()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &schedProto{s: s}
	p.traits = wire.Traits{
		Sequenced: r.IntN(4) == 0, EOFIsClose: r.IntN(2) == 0,
		PeerClosesFirst: r.IntN(2) == 0, CloseGrace: among(r, 0, 0, time.Second), Overhead: 16,
	}
	s.takes = among(r, 1, 5, 40, 40)
	p.traits.CanStop = !p.traits.Sequenced && r.IntN(2) == 0
	s.forgets, s.heartbeat, s.fatal = r.IntN(3) == 0, among(r, 0, 700*time.Millisecond), among(r, 1, 5, 20)
	set.codec, cfg.Secure = p.codec(), r.IntN(3) == 0
	if set.ack = wire.AckEach; p.traits.Sequenced {
		set.ack = among(r, wire.AckEach, wire.AckOrdered, wire.AckRange)
	}
	s.l = newLoop(&cfg, set, new(Stats), s)
	s.l.conn.backoff.Draw = r.Int64N
	s.l.pool, err = pool.New(pool.Config{
		Workers: cfg.Workers, Ring: cfg.Ring, InFlight: set.window, Slabs: s.l.slabs.table, Sink: cfg.Sink,
		Events: &s.l.events, Wake: func() { s.rung = true }, Log: cfg.Log,
		Now: func() time.Duration { return s.clock },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.l.setWorkers(s.l.pool.Workers())
}

func (s *schedule) end() {
	s.l.conn.log.End(s.clock)
	if s.sock != nil && !s.sock.closed {
		s.sock.close()
	}
	s.l.receiver.dropSlabs()
	if err := s.l.pool.Stop(); err != nil {
		s.t.Error(err)
	}
}

func dropTime(a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (s *schedule) note(format string, args ...any) { fmt.Fprintf(&s.trail, format+"\n", args...) }

// now implements env.
func (s *schedule) now() time.Duration { return s.clock }

// connect implements env.
func (s *schedule) connect(ctx context.Context, d *dialer) {
	d.addresses.begin()
	s.dialing, s.cancelled = true, ctx
}

// watch implements env.
func (s *schedule) watch(t transport) error {
	if s.rng.IntN(50) == 0 {
		return errors.New("no more can be watched")
	}
	s.sock.watched, s.sock.edgeReadable, s.sock.edgeWritable = true, true, true
	return nil
}

// unwatch implements env.
func (s *schedule) unwatch(transport) { s.sock.watched = false }

// post implements env. Only a state file would need it.
func (s *schedule) post(func()) { s.t.Error("something was posted") }

func (s *schedule) wake() { s.asleep, s.rung = false, false; s.l.events.Wake() }

func (s *schedule) runnable() bool {
	return !s.asleep || s.rung || s.due != 0 && s.clock >= s.due
}

// run turns the loop a few times, or until it sleeps.
func (s *schedule) run() {
	for n := 1 + s.rng.IntN(4); n > 0 && s.runnable() && !s.l.stop.done; n-- {
		if s.turns++; s.asleep {
			s.wake()
		}
		busy := s.l.turn()
		s.note("%v %v", s.clock, s.l.conn.state)
		s.check()
		if busy || s.l.stop.done {
			continue
		}
		if s.l.sleep() {
			s.asleep, s.due = true, s.l.conn.nextDue()
			s.note("sleep until %v", s.due)
		}
	}
}

// check compares the state with what the peer has done.
func (s *schedule) check() {
	if s.closed && s.l.receiver.input.Event.Kind == wire.EventNone && s.l.conn.is(in(open, finishing, closing)) {
		s.t.Errorf("seed %d, %v: the peer has closed, and the state is %v", s.seed, s.clock, s.l.conn.state)
	}
}

// jump advances the clock by the time a peer takes, or until the loop is due.
func (s *schedule) jump() {
	s.clock += time.Duration(s.rng.Int64N(int64(300 * time.Millisecond)))
	if s.due != 0 && s.rng.IntN(2) == 0 {
		s.clock = max(s.clock, s.due)
	}
	s.dialed()
	s.peer()
}

func (s *schedule) work(i int) {
	for s.l.pool.Turn(i) {
	}
}

// event makes one random thing happen.
func (s *schedule) event() {
	switch s.rng.IntN(12) {
	case 0:
		s.jump()
	case 1:
		s.clock += time.Duration(s.rng.Int64N(int64(10 * time.Millisecond)))
	case 2, 3:
		s.work(s.rng.IntN(2))
	case 4, 5:
		s.dialed()
	case 6, 7:
		s.edges()
	case 8:
		if s.rng.IntN(40) == 0 {
			s.note("drain")
			s.l.drain()
			if s.rng.IntN(4) == 0 {
				s.l.abort()
			}
			s.wake()
		}
	default:
		s.peer()
	}
}

// dialed ends a dial.
func (s *schedule) dialed() {
	if !s.dialing || s.cancelled.Err() == nil && s.rng.IntN(3) == 0 {
		return
	}
	s.dialing, s.closed = false, false
	at := target{host: s.rng.IntN(2), addr: netip.MustParseAddrPort("1.0.0.1:1")}
	if s.rng.IntN(6) == 0 || s.cancelled.Err() != nil && s.rng.IntN(2) == 0 {
		s.l.conn.dialer.addresses.fail(at)
		s.l.conn.dialer.attempts++
		s.l.conn.dialEnded(dialResult{err: errors.New("refused")})
	} else {
		s.l.conn.dialer.attempts++
		s.sock = &schedSocket{s: s, rng: s.rng, space: s.rng.IntN(s.takes), received: []byte(among(s.rng, "", "r", "r", "r+1m", "f"))}
		s.l.conn.dialEnded(dialResult{sock: s.sock, host: "a:1", addr: "1.0.0.1:1", target: at})
	}
	s.wake()
}

// edges reports the socket's pending edges to the loop.
func (s *schedule) edges() {
	c := s.sock
	if c == nil || !c.watched || !(c.edgeReadable || c.edgeWritable || c.edgeHalfClosed || c.edgeReset) {
		return
	}
	s.l.conn.peer.edge(c.edgeReadable, c.edgeWritable, c.edgeHalfClosed, c.edgeReset)
	c.edgeReadable, c.edgeWritable, c.edgeHalfClosed, c.edgeReset = false, false, false, false
	s.wake()
}

// TestSchedulesAreDeterministic: a seed always has the same trace.
func TestSchedulesAreDeterministic(t *testing.T) {
	for seed := range uint64(50) {
		a, b := fnv.New64a(), fnv.New64a()
		a.Write(runSchedule(t, seed, nil))
		b.Write(runSchedule(t, seed, nil))
		if a.Sum64() != b.Sum64() {
			t.Errorf("seed %d differs", seed)
		}
	}
}
