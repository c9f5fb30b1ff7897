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

// Server is a feed. New makes it, Start makes it listen and serve, Wait waits for
// its end and reports, Close stops it and waits until nothing of it runs. Its
// methods may be called from any goroutine.
type Server struct {
	cfg    Config
	source source
	loop   *loop

	engine  gnet.Engine
	addr    net.Addr
	stopped chan struct{} // closed when the engine has ended
	err     error         // why, once stopped is closed
	closing sync.Once
}

var (
	// ErrNotStarted is returned by methods that need Start to have been called.
	ErrNotStarted = errors.New("the feed was not started")
	// ErrStopped is returned by Wait when the feed was closed, or its engine failed,
	// before it was over.
	ErrStopped = errors.New("the feed was stopped")
)

// New makes a feed. Its error names every fault of cfg by the flag that sets the
// field.
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

// Start listens. It returns once clients can connect; the server runs until
// Close. It is to be called once.
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
		// One loop: sessions move from connection to connection, and a feed on more
		// than one core would take the other from what it feeds.
		logged := &gnetErrors{}
		s.err = gnet.Run(l, "tcp://"+s.cfg.Listen,
			gnet.WithNumEventLoop(1), gnet.WithReuseAddr(true), gnet.WithReadBufferCap(readBytes),
			gnet.WithLogger(logged))
		s.err = cmp.Or(logged.err(), s.err) // what is logged is the cause of what is returned
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

// boundAddr is the address that the engine listens on.
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

// Addr is the address that the feed listens on; nil before Start.
func (s *Server) Addr() net.Addr { return s.addr }

// Wait returns the report once Config.Clients sessions have come and every one is
// over: all of its messages acknowledged, or its client gone for good. When ctx
// ends before, the feed sends no more, gives what was sent up to
// Config.DrainTimeout to be acknowledged, says goodbye to its clients, and Wait
// returns the report as of then. Acks that are not as they should be are no
// error; ask [Report.Err].
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

func (s *Server) drain() {
	s.loop.draining.Store(true)
	if !s.loop.tasks.run(s.loop.drain) {
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

// Report is the state of things; what is on its way to being acknowledged counts
// as missing.
func (s *Server) Report() Report {
	none := Report{Protocol: s.cfg.Protocol, Clients: []ClientReport{}}
	if s.loop == nil {
		return none
	}
	answer := make(chan Report, 1)
	switch {
	case s.loop.tasks.run(func() { answer <- s.loop.report() }):
		select {
		case r := <-answer:
			return r
		case <-s.stopped:
		}
	case s.loop.tasks.isClosed():
		<-s.stopped
	default: // no client has come yet
		return none
	}
	return s.loop.report() // the loop is over
}

// Close stops the feed at once: open connections are cut.
func (s *Server) Close() error {
	if s.loop == nil {
		return ErrNotStarted
	}
	s.closing.Do(func() {
		s.loop.tasks.close()
		// A context that has ended makes Stop give the signal and not poll for its
		// effect.
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
