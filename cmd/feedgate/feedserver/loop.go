package feedserver

import (
	"crypto/rand"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// loop is the [gnet.EventHandler] of the feed. It owns the connections and sessions. All its methods
// but OnBoot run on gnet's event loop.
type loop struct {
	gnet.BuiltinEventEngine

	cfg    *Config
	traits traits
	proto  protocol
	stream *stream
	log    *slog.Logger
	watch  *watch
	tasks  *tasks

	booted   chan gnet.Engine // gets the engine when it is up
	done     chan struct{}    // closed when all sessions are over
	draining atomic.Bool      // no more messages and no more sessions

	began   time.Time
	now     time.Duration // since began, as of the last updateNow
	timerAt time.Duration // time to which the watch's timer is set
	written int           // bytes of batches written, for turnBytes

	conns     map[int]*conn // by descriptor
	yielded   []*conn       // wait for their next turn
	sessions  []*session    // in order of arrival
	byID      map[string]*session
	suspended []*session // have no connection, the longest suspended first
	waiting   []*conn    // wait for admission
	runID     string     // part of session names, different in each process
	rejected  uint64     // connections without a session

	handshakes       sync.WaitGroup // goroutines of TLS handshakes
	failedHandshakes uint64

	fds   []int  // scratch space
	plain []byte // scratch space: decrypted bytes
}

func newLoop(cfg *Config, proto protocol, st *stream, w *watch) *loop {
	return &loop{
		cfg: cfg, traits: proto.traits(), proto: proto, stream: st, log: cfg.Log, watch: w,
		tasks: new(tasks), booted: make(chan gnet.Engine, 1), done: make(chan struct{}),
		began: time.Now(), timerAt: math.MaxInt64,
		conns: make(map[int]*conn), byID: make(map[string]*session), runID: rand.Text()[:8],
	}
}

// updateNow reads the clock.
func (l *loop) updateNow() { l.now = time.Since(l.began) }

// OnBoot implements [gnet.EventHandler].
func (l *loop) OnBoot(eng gnet.Engine) gnet.Action {
	l.booted <- eng
	return gnet.None
}

// OnOpen implements [gnet.EventHandler].
func (l *loop) OnOpen(g gnet.Conn) ([]byte, gnet.Action) {
	l.updateNow()
	if l.tasks.bind(g.EventLoop()) {
		l.watch.bind(func() { l.tasks.post(l.wake) })
	}
	c := &conn{l: l, g: g, fd: g.Fd(), codec: l.proto.newCodec(), lastRead: l.now, resetAt: -1}
	g.SetContext(c)
	l.conns[c.fd] = c
	if err := l.watch.add(c.fd); err != nil {
		l.log.Error("cannot watch a socket; closing the connection", "client", c.name(), "error", err)
		return nil, gnet.Close
	}
	l.wakeAt(l.now + l.cfg.IdleTimeout)
	switch {
	case l.cfg.TLS != nil:
		c.startTLS()
		return nil, gnet.None
	case l.traits.login:
		return nil, gnet.None
	}
	return nil, c.handle(func() { l.admit(c) })
}

// OnTraffic implements [gnet.EventHandler]. It consumes all that was read.
func (l *loop) OnTraffic(g gnet.Conn) gnet.Action {
	l.updateNow()
	c := g.Context().(*conn)
	b, err := g.Next(-1)
	if err != nil {
		panic(err) // -1 asks for what there is
	}
	return c.handle(func() { c.receive(b) })
}

// handle runs f within a call from gnet and returns whether gnet must close the connection.
func (c *conn) handle(f func()) gnet.Action {
	c.inHandler = true
	f()
	c.inHandler = false
	if c.killed {
		return gnet.Close
	}
	return gnet.None
}

// OnClose implements [gnet.EventHandler].
func (l *loop) OnClose(g gnet.Conn, err error) gnet.Action {
	l.updateNow()
	c := g.Context().(*conn)
	c.killed = true
	if l.conns[c.fd] == c {
		delete(l.conns, c.fd)
	}
	if c.sec != nil {
		err = c.closeTLS(err)
	}
	if s := c.ses; s != nil {
		l.log.Info("connection ended", "client", c.name(), "session", s.id, "error", err,
			"sent", s.sent(), "acknowledged", s.acknowledged)
		if c.resumable(err) {
			l.suspend(c)
		} else {
			s.detach(l.now)
			c.ses = nil
			l.endSession(s)
		}
	}
	if len(l.waiting) > 0 {
		l.tasks.post(l.admitWaiting)
	}
	return gnet.None
}

// drain makes each connection end once its sent messages are acknowledged.
func (l *loop) drain() {
	l.updateNow()
	for _, c := range l.conns {
		c.pump()
	}
	l.checkDone()
}

// yield queues c for another turn, after the other connections and after input.
func (l *loop) yield(c *conn) {
	if c.queued {
		return
	}
	c.queued = true
	l.yielded = append(l.yielded, c)
	if len(l.yielded) > 1 {
		return
	}
	if err := l.watch.requestWake(); err != nil {
		l.log.Error("cannot wake the loop; sending pauses until the next input", "error", err)
	}
}

// wake handles the events of the watch and the connections that have yielded.
func (l *loop) wake() {
	l.updateNow()
	fds, timeUp := l.watch.events(l.fds[:0])
	l.fds = fds
	turn := l.yielded
	l.yielded = nil
	for _, fd := range fds {
		if c := l.conns[fd]; c != nil && c.blocked {
			c.blocked = false
			c.pump()
		}
	}
	for _, c := range turn {
		c.queued = false
		c.pump()
	}
	if timeUp {
		l.tick()
	}
}

// wakeAt makes tick run no later than t.
func (l *loop) wakeAt(t time.Duration) {
	if t >= l.timerAt {
		return
	}
	l.timerAt = t
	if err := l.watch.setTimer(t - l.now); err != nil {
		l.log.Error("cannot set the timer; the feed will not notice silent clients", "error", err)
	}
}

// tick performs what is due by the clock.
func (l *loop) tick() {
	l.timerAt = math.MaxInt64
	next := time.Duration(math.MaxInt64)
	for _, c := range l.conns {
		next = min(next, c.tick())
	}
	for _, s := range l.suspended {
		s.expire(l.now)
		if l.now < s.ends {
			next = min(next, s.ends)
		}
	}
	for len(l.suspended) > 0 {
		s := l.suspended[0]
		if until := s.suspendedAt + l.cfg.SessionTimeout; l.now < until {
			next = min(next, until)
			break
		}
		l.suspended = l.suspended[1:]
		l.log.Warn("session timeout, the client did not reconnect", "client", s.client, "session", s.id, "timeout", l.cfg.SessionTimeout)
		l.endSession(s)
	}
	if next < math.MaxInt64 {
		l.wakeAt(next)
	}
}
