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

// loop is what gnet's event loop runs: it is the [gnet.EventHandler], and owns
// the connections and sessions. All of its methods but OnBoot are called there.
type loop struct {
	gnet.BuiltinEventEngine

	cfg    *Config
	traits traits
	proto  protocol
	stream *stream
	log    *slog.Logger
	watch  *watch
	tasks  *tasks

	booted   chan gnet.Engine // one, when the engine is up
	done     chan struct{}    // closed when nothing more is expected
	draining atomic.Bool      // no more messages, no more sessions

	began   time.Time
	now     time.Duration // since began, as of the last look
	timerAt time.Duration // what the watch's timer is set to
	written int           // bytes of batches, for turns

	conns    map[int]*conn // by descriptor
	again    []*conn       // their turn was over
	sessions []*session    // in order of arrival
	byID     map[string]*session
	lost     []*session // between connections, in the order of their losses
	waiting  []*conn    // to be admitted
	run      string     // part of session names that tells this run from others
	rejected uint64

	handshakes       sync.WaitGroup // of TLS, each a goroutine
	failedHandshakes uint64

	fds   []int  // scratch
	plain []byte // scratch: what TLS has opened
}

func newLoop(cfg *Config, proto protocol, st *stream, w *watch) *loop {
	return &loop{
		cfg: cfg, traits: proto.traits(), proto: proto, stream: st, log: cfg.Log, watch: w,
		tasks: new(tasks), booted: make(chan gnet.Engine, 1), done: make(chan struct{}),
		began: time.Now(), timerAt: math.MaxInt64,
		conns: make(map[int]*conn), byID: make(map[string]*session), run: rand.Text()[:8],
	}
}

// look looks at the clock.
func (l *loop) look() { l.now = time.Since(l.began) }

// OnBoot implements [gnet.EventHandler].
func (l *loop) OnBoot(eng gnet.Engine) gnet.Action {
	l.booted <- eng
	return gnet.None
}

// OnOpen implements [gnet.EventHandler].
func (l *loop) OnOpen(g gnet.Conn) ([]byte, gnet.Action) {
	l.look()
	if l.tasks.bind(g.EventLoop()) {
		l.watch.bind(func() { l.tasks.run(l.wake) })
	}
	c := &conn{l: l, g: g, fd: g.Fd(), codec: l.proto.newCodec(), lastRead: l.now, resetAt: -1}
	g.SetContext(c)
	l.conns[c.fd] = c
	if err := l.watch.add(c.fd); err != nil {
		l.log.Error("cannot watch a socket, dropping its client", "client", c.name(), "error", err)
		return nil, gnet.Close
	}
	l.wakeAt(l.now + l.cfg.IdleTimeout)
	switch {
	case l.cfg.TLS != nil:
		c.secure()
		return nil, gnet.None
	case l.traits.login:
		return nil, gnet.None
	}
	return nil, c.handle(func() { l.admit(c) })
}

// OnTraffic implements [gnet.EventHandler]. It uses up all that was read.
func (l *loop) OnTraffic(g gnet.Conn) gnet.Action {
	l.look()
	c := g.Context().(*conn)
	b, err := g.Next(-1)
	if err != nil {
		panic(err) // asked for what there is
	}
	return c.handle(func() { c.receive(b) })
}

// handle runs what gnet called for, and tells it whether to close.
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
	l.look()
	c := g.Context().(*conn)
	c.killed = true
	if l.conns[c.fd] == c {
		delete(l.conns, c.fd)
	}
	if c.sec != nil {
		err = c.unsecure(err)
	}
	if s := c.ses; s != nil {
		l.log.Info("connection ends", "client", c.name(), "session", s.id, "error", err,
			"sent", s.sent(), "acknowledged", s.acknowledged)
		if c.lost(err) {
			l.lose(c)
		} else {
			s.detach(l.now)
			c.ses = nil
			l.finish(s)
		}
	}
	if len(l.waiting) > 0 {
		l.tasks.run(l.admitWaiting)
	}
	return gnet.None
}

// drain ends all connections once what was sent is acknowledged.
func (l *loop) drain() {
	l.look()
	for _, c := range l.conns {
		c.pump()
	}
	l.checkDone()
}

// later gives c another turn after the others and after what has arrived.
func (l *loop) later(c *conn) {
	if c.queued {
		return
	}
	c.queued = true
	l.again = append(l.again, c)
	if len(l.again) > 1 {
		return
	}
	if err := l.watch.nudge(); err != nil {
		l.log.Error("cannot go on sending before something arrives", "error", err)
	}
}

// wake takes what the watch has seen.
func (l *loop) wake() {
	l.look()
	fds, timeUp := l.watch.take(l.fds[:0])
	l.fds = fds
	turn := l.again
	l.again = nil
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

// wakeAt makes tick run at t at the latest.
func (l *loop) wakeAt(t time.Duration) {
	if t >= l.timerAt {
		return
	}
	l.timerAt = t
	if err := l.watch.setTimer(t - l.now); err != nil {
		l.log.Error("cannot set the timer; the feed will not notice silent clients", "error", err)
	}
}

// tick does what is due by the clock.
func (l *loop) tick() {
	l.timerAt = math.MaxInt64
	next := time.Duration(math.MaxInt64)
	for _, c := range l.conns {
		next = min(next, c.tick())
	}
	for _, s := range l.lost {
		s.expire(l.now)
		if l.now < s.ends {
			next = min(next, s.ends)
		}
	}
	for len(l.lost) > 0 {
		s := l.lost[0]
		if until := s.lostAt + l.cfg.SessionTimeout; l.now < until {
			next = min(next, until)
			break
		}
		l.lost = l.lost[1:]
		l.log.Warn("client did not come back", "client", s.client, "session", s.id, "timeout", l.cfg.SessionTimeout)
		l.finish(s)
	}
	if next < math.MaxInt64 {
		l.wakeAt(next)
	}
}
