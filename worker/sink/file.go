package sink

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"feedgate/worker"
)

// fileSink appends to a file by group commit. Workers copy messages into the
// group that is filling; the commit goroutine swaps it for an empty one, makes it
// durable, and completes it, so that one fsync serves all messages that arrived
// during the one before.
//
//	newFile opens the file and starts the commit goroutine;
//	Close stops it: what is not durable by then is given up.
type fileSink struct {
	steady
	cfg *Config

	mu      sync.Mutex
	filling *group
	room    chan struct{} // closed, and replaced, when filling was swapped
	down    error         // what the commit goroutine is waiting out

	filled chan struct{} // a token: filling is not empty
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{} // closed when the commit goroutine has ended

	lines *lineFile // the commit goroutine's
}

// group is what one commit makes durable: whole lines, and whose messages they
// are.
type group struct {
	data []byte
	runs []run // one a handler at most
}

// run is messages of one handler with consecutive tickets. A handler puts its
// messages off in order and into one group after another, so those in one group
// are one run.
type run struct {
	h     *appender
	first worker.Ticket
	n     int
}

func newFile(path string, cfg *Config, d disk) (*fileSink, error) {
	lines := &lineFile{path: path, disk: d, log: cfg.Log}
	if err := lines.open(); err != nil {
		return nil, err
	}
	s := &fileSink{
		cfg: cfg, lines: lines, filling: &group{},
		room: make(chan struct{}), filled: make(chan struct{}, 1), done: make(chan struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	go s.run()
	return s, nil
}

func (s *fileSink) Open(c *worker.Completer) (worker.Handler, error) {
	return &appender{sink: s, c: c}, nil
}

func (s *fileSink) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

func (s *fileSink) Close() error {
	s.stop()
	<-s.done
	return nil
}

// run is the commit goroutine.
func (s *fileSink) run() {
	defer close(s.done)
	defer s.lines.close()
	g := &group{}
	for {
		select {
		case <-s.filled:
		case <-s.ctx.Done():
			return
		}
		g = s.swap(g)
		if len(g.data) == 0 {
			// The token was for messages that the swap before has taken as well.
			continue
		}
		if !s.commit(g) {
			return
		}
		for _, r := range g.runs {
			r.h.c.Done(r.first, r.n, worker.OK)
			r.h.c.Flush()
		}
		g.reset(s.cfg.FileBuffer)
	}
}

// swap takes the group that was filling and puts an empty one in its place.
func (s *fileSink) swap(empty *group) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.filling
	s.filling = empty
	close(s.room)
	s.room = make(chan struct{})
	return full
}

// commit makes a group durable, however long that takes; false when the sink was
// closed before.
func (s *fileSink) commit(g *group) bool {
	var since time.Time
	_, err := backoff.Retry(s.ctx,
		func() (struct{}, error) { return struct{}{}, s.lines.append(g.data) },
		backoff.WithBackOff(s.cfg.newBackoff()),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if since.IsZero() {
				since = time.Now()
				s.cfg.Log.Error("cannot append to the sink's file; messages wait", "error", err)
			}
			s.setDown(err)
		}))
	if err != nil {
		return false
	}
	if !since.IsZero() {
		s.setDown(nil)
		s.cfg.Log.Info("appending to the sink's file again", "path", s.lines.path, "after", time.Since(since))
	}
	return true
}

func (s *fileSink) setDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// reset empties a group. One that a long message has blown up starts over.
func (g *group) reset(limit int) {
	clear(g.runs)
	g.data, g.runs = g.data[:0], g.runs[:0]
	if cap(g.data) > 2*limit {
		g.data = nil
	}
}

// hasRoom reports whether a message of n bytes may wait in the group.
func (g *group) hasRoom(n, limit int) bool {
	return len(g.data) == 0 || len(g.data)+n+1 <= limit
}

// appender is one worker's handler.
type appender struct {
	sink *fileSink
	c    *worker.Completer
	run  int // index of this handler's run in the group that it last added to
}

func (h *appender) Handle(b *worker.Batch) {
	for b.Left() > 0 {
		if !h.fill(b) {
			b.Later(b.Left())
			return
		}
	}
}

// fill waits for room and puts off as many messages as there is room for; false
// when there will be none.
func (h *appender) fill(b *worker.Batch) bool {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.filling.hasRoom(len(b.At(0).Data), s.cfg.FileBuffer) {
		room := s.room
		s.mu.Unlock()
		stopped := false
		select {
		case <-room:
		case <-h.c.Stopped():
			stopped = true
		case <-s.ctx.Done():
			stopped = true
		}
		s.mu.Lock()
		if stopped {
			return false
		}
	}
	g := s.filling
	n := 0
	for n < b.Left() {
		m := b.At(n).Data
		if !g.hasRoom(len(m), s.cfg.FileBuffer) {
			break
		}
		g.data = append(append(g.data, m...), '\n')
		n++
	}
	// The tickets are drawn before the lock is given up: the commit goroutine must
	// not complete one that does not exist yet.
	h.add(g, b.Later(n), n)
	select {
	case s.filled <- struct{}{}:
	default:
	}
	return true
}

func (h *appender) add(g *group, first worker.Ticket, n int) {
	if h.run < len(g.runs) && g.runs[h.run].h == h {
		g.runs[h.run].n += n
		return
	}
	h.run = len(g.runs)
	g.runs = append(g.runs, run{h, first, n})
}

func (h *appender) Drain() {}

// Close leaves what is still to be committed to the sink: it costs nothing more,
// and its completions are ignored.
func (h *appender) Close() error { return nil }
