package feedserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// Server is a feed. New creates it, Start makes it listen and serve, Wait waits for its end and returns
// its report, Close stops it and waits for its goroutines. Any goroutine may call its methods.
type Server struct {
	cfg    Config
	source source
	loop   *loop

	engine  gnet.Engine
	addr    net.Addr
	stopped chan struct{} // closed when the engine has ended
	err     error         // of the engine; valid once stopped is closed
	closing sync.Once
}

var (
	// ErrNotStarted is returned by methods that may only be called after Start.
	ErrNotStarted = errors.New("the feed was not started")
	// ErrStopped is returned by Wait if the feed was closed, or its engine failed, before its end.
	ErrStopped = errors.New("the feed was stopped")
)

// New creates a feed. Its error has a line for each fault of cfg, which names the flag of the field.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	src, err := cfg.source()
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg, source: src, stopped: make(chan struct{})}, nil
}

// Start listens and returns once clients can connect. The server runs until Close. Start must be called
// only once.
func (s *Server) Start() error {
	proto := protocols[s.cfg.Protocol](&s.cfg)
	st, err := newStream(s.source, proto)
	if err != nil {
		return fmt.Errorf("--replay: %w", err)
	}
	w, err := newWatch()
	if err != nil {
		return err
	}
	l := newLoop(&s.cfg, proto, st, w)
	go func() {
		defer close(s.stopped)
		// One loop, because sessions move between connections, and because a feed on several cores would
		// take them from its clients.
		logged := &gnetErrors{}
		s.err = gnet.Run(l, "tcp://"+s.cfg.Listen,
			gnet.WithNumEventLoop(1), gnet.WithReuseAddr(true), gnet.WithReadBufferCap(readBytes),
			gnet.WithLogger(logged))
		s.err = cmp.Or(logged.err(), s.err) // the logged error is the cause of the returned one
	}()
	select {
	case s.engine = <-l.booted:
		s.addr, err = boundAddr(s.engine)
	case <-s.stopped:
		err = s.err
	}
	s.loop = l
	if err != nil {
		_ = s.Close()
		err = cmp.Or(s.err, err)
		return fmt.Errorf("--listen: %s: %w", s.cfg.Listen, err)
	}
	return nil
}

// readBytes is how much of the acks is read at once.
const readBytes = 128 << 10

// boundAddr returns the address on which the engine listens.
func boundAddr(engine gnet.Engine) (net.Addr, error) {
	fd, err := engine.Dup()
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	return ln.Addr(), nil
}

// Addr is the address on which the feed listens; nil before Start.
func (s *Server) Addr() net.Addr { return s.addr }

// Wait waits until Config.Clients sessions have begun and all sessions are over, and returns the report.
// A session is over when all its messages are acknowledged, or its client has been away for
// Config.SessionTimeout. When ctx ends, the feed drains: it sends no new messages, waits up to
// Config.DrainTimeout for acks, and ends the connections. Wrong acks are not an error of Wait, but of
// [Report.Err].
func (s *Server) Wait(ctx context.Context) (Report, error) {
	if s.loop == nil {
		return Report{}, ErrNotStarted
	}
	select {
	case <-s.loop.done:
	case <-s.stopped:
	case <-ctx.Done():
		s.drain()
	}
	var err error
	select {
	case <-s.stopped:
		err = errors.Join(ErrStopped, s.err)
	default:
		if s.loop.tasks.isClosed() {
			err = ErrStopped
		}
	}
	return s.Report(), err
}

// drain sends no new messages and waits for acks, at most for Config.DrainTimeout.
func (s *Server) drain() {
	s.loop.draining.Store(true)
	if !s.loop.tasks.post(s.loop.drain) {
		return
	}
	timeout := time.NewTimer(s.cfg.DrainTimeout)
	defer timeout.Stop()
	select {
	case <-s.loop.done:
	case <-s.stopped:
	case <-timeout.C:
	}
}

// Report returns the present report. Sent messages that are not acknowledged yet count as missing.
func (s *Server) Report() Report {
	none := Report{Protocol: s.cfg.Protocol, Clients: []ClientReport{}}
	if s.loop == nil {
		return none
	}
	answer := make(chan Report, 1)
	switch {
	case s.loop.tasks.post(func() { answer <- s.loop.report() }):
		select {
		case r := <-answer:
			return r
		case <-s.stopped:
		}
	case s.loop.tasks.isClosed():
		<-s.stopped
	default: // no client has connected yet
		return none
	}
	return s.loop.report() // the loop has ended
}

// Close stops the feed at once and closes its connections.
func (s *Server) Close() error {
	if s.loop == nil {
		return ErrNotStarted
	}
	s.closing.Do(func() {
		s.loop.tasks.close()
		// With an ended context, Stop only sends the signal, and does not poll for its effect.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.engine.Stop(ctx)
		<-s.stopped
		s.loop.watch.stop()
		s.loop.handshakes.Wait()
	})
	<-s.stopped
	return nil
}
