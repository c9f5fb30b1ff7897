package gateway

import (
	"testing"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// stuckSocket is a socket whose kernel holds n bytes.
type stuckSocket struct {
	transport
	n int
}

func (s *stuckSocket) untransmitted() int { return s.n }

// newStatusLoop returns a loop that is logged in at 1 s and has read two messages, which are with workers.
func newStatusLoop() *loop {
	l := &loop{cfg: &Config{}, stats: new(Stats), track: delivery.New(delivery.Config{
		Mode: wire.AckEach, InFlight: 16, Count: func(worker.Code, int) {},
	})}
	l.out, l.receiver.l, l.conn.l, l.conn.sock = l.track.SendBuffer(), l, l, new(stuckSocket)
	l.track.Connect(fg1.New(fg1.Config{MaxMessage: 100, Heartbeat: time.Second}).NewConn(), 1)
	l.track.Add(1, 2, false)
	l.track.Read(time.Second)
	l.stats.Connected.Store(true)
	l.status = status{every: statusPeriod, since: time.Second, began: time.Second, open: drained}
	return l
}

// stoppedTimes returns the causes for which reading was stopped.
func stoppedTimes(s *Stats) map[string]time.Duration {
	all := make(map[string]time.Duration)
	s.StoppedTime(func(why string, d time.Duration) {
		if d > 0 {
			all[why] = d
		}
	})
	return all
}

// TestStoppedTime: the time between two turns counts as what the first one ended with.
func TestStoppedTime(t *testing.T) {
	l, now := newStatusLoop(), time.Second
	turn := func(d time.Duration) {
		now += d
		l.status.countTime(l, now)
		l.status.endTurn(l)
	}
	turn(time.Second)
	l.paused, l.receiver.stopped = true, byRing
	turn(time.Second)
	turn(2 * time.Second)
	l.receiver.stopped = byAcks
	turn(3 * time.Second)
	l.receiver.stopped = byWindow
	l.out.Write(make([]byte, maxUnsent))
	turn(4 * time.Second)
	l.paused = false
	turn(5 * time.Second)
	turn(6 * time.Second)
	got := stoppedTimes(l.stats)
	if len(got) != 2 || got["ring"] != 5*time.Second || got["acks_unread"] != 9*time.Second {
		t.Errorf("stopped for %v", got)
	}
}

// TestMostly: what stopped reading for half of the period counts, even if being idle was the longest single
// part.
func TestMostly(t *testing.T) {
	for _, c := range []struct {
		s    status
		want stopCause
		open openTime
	}{
		{status{stopped: [stopCauses]time.Duration{byRing: 35, byWindow: 25}, other: [openTimes]time.Duration{drained: 40}}, byRing, drained},
		{status{stopped: [stopCauses]time.Duration{byRing: 49}, other: [openTimes]time.Duration{drained: 31, behind: 20}}, notStopped, drained},
		{status{other: [openTimes]time.Duration{behind: 3, drained: 1}}, notStopped, behind},
	} {
		if cause, open := c.s.mostly(); cause != c.want || open != c.open {
			t.Errorf("%v, %v: mostly %d, %d", c.s.stopped, c.s.other, cause, open)
		}
	}
}

// TestStatusIsDue: the loop wakes up to find out what it waits for only while that can change.
func TestStatusIsDue(t *testing.T) {
	l := newStatusLoop()
	if due := l.status.due(l); due != 2*time.Second {
		t.Errorf("with messages in flight it is due at %v", due)
	}
	l.status.every = 0
	if due := l.status.due(l); due != 0 {
		t.Errorf("it is due at %v though it is off", due)
	}
	idle := &loop{cfg: &Config{}, stats: new(Stats), track: delivery.New(delivery.Config{Mode: wire.AckEach, InFlight: 16})}
	idle.out = idle.track.SendBuffer()
	idle.status = status{every: statusPeriod, shown: ForUpstream}
	if due := idle.status.due(idle); due != 0 {
		t.Errorf("it is due at %v though nothing is in flight", due)
	}
	idle.status.shown = ForWorkers
	if due := idle.status.due(idle); due != statusPeriod {
		t.Errorf("it is due at %v though it shows what is over", due)
	}
}

// TestAcksUnread: if the peer takes no ack for a second, that is what the gateway waits for, and their
// messages are in flight.
func TestAcksUnread(t *testing.T) {
	l := newStatusLoop()
	sock := new(stuckSocket)
	l.conn.sock = sock
	look := func(now time.Duration, want WaitingFor, inFlight int) {
		t.Helper()
		l.lastTurn = now
		l.status.compare(l, now)
		if got := l.stats.Waiting(); got.For != want || l.status.inFlight(l) != inFlight {
			t.Errorf("at %v it waits for %s with %d in flight, not %s with %d", now, got.Words, l.status.inFlight(l), want, inFlight)
		}
	}
	l.track.Done(0, 2, worker.OK, nil, 0)
	size := l.out.Len()
	l.out.Sent(size)
	sock.n = size
	look(2*time.Second, ForUpstream, 0)
	look(2500*time.Millisecond, ForUpstream, 0)
	look(3*time.Second, ForAcksUnread, 2)
	if n := l.status.inKernel; n != size {
		t.Errorf("%d bytes in the kernel, not %d", n, size)
	}
	// The loop has seen progress before the status looks.
	sock.n = size / 2
	l.out.Transmitted(sock.n)
	look(4*time.Second, ForUpstream, 0)
	look(5*time.Second, ForAcksUnread, 2)
	sock.n = 0
	look(6*time.Second, ForUpstream, 0)
}

// TestWaitingBeforeTheFirstPeriod: a gateway that has not compared yet waits for its connection, or then
// for its upstream.
func TestWaitingBeforeTheFirstPeriod(t *testing.T) {
	var s Stats
	if got := s.Waiting(); got != notConnected || s.OldestUnacked() != 0 {
		t.Errorf("%v, oldest %v", got, s.OldestUnacked())
	}
	s.Connected.Store(true)
	if got := s.Waiting(); got != nothingToDo {
		t.Errorf("%v when it is connected", got)
	}
}
