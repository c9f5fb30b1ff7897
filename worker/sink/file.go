package sink

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"feedgate/worker"
)

// fileSink appends to a file by group commit. Workers copy messages into the
// group that is filling; the commit goroutine swaps it for an empty one, makes it
// durable, and completes it, so that one fsync serves all messages that arrived
// during the one before. Messages are in the file in the order in which workers
// handed them over; with one worker, that is the order of arrival.
//
//	newFile opens the file and starts the commit goroutine;
//	Close stops it: what is not durable by then is given up. It leaves the
//	goroutine behind if the disk does not answer.
type fileSink struct {
	steady
	cfg     *Config
	path    string
	framing framing
	split   splitWarning

	mu      sync.Mutex
	filling *group
	room    chan struct{} // closed, and replaced, when filling was swapped
	down    error         // what the commit goroutine is waiting out
	// reopening is the request to open the file again that waits; nil: none does.
	reopening *reopening

	filled chan struct{} // a token: filling is not empty
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{} // closed when the commit goroutine has ended

	reopens    chan struct{} // a token: reopening is set
	committing atomic.Int64  // messages in the group that is being made durable

	records *recordFile // the commit goroutine's
}

func newFile(path string, f framing, cfg *Config, d disk) (*fileSink, error) {
	records := &recordFile{path: path, framing: f, disk: d, log: cfg.Log}
	if err := records.open(); err != nil {
		records.close()
		return nil, err
	}
	s := &fileSink{
		cfg: cfg, path: path, framing: f, records: records, filling: &group{},
		room: make(chan struct{}), filled: make(chan struct{}, 1), done: make(chan struct{}),
		reopens: make(chan struct{}, 1),
	}
	s.split.off = f != frameLine
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

// Close implements [worker.Sink]. A write or fsync that hangs cannot be
// interrupted; it is left behind.
func (s *fileSink) Close() error {
	s.stop()
	timeout := time.NewTimer(s.cfg.CloseTimeout)
	defer timeout.Stop()
	select {
	case <-s.done:
		return nil
	case <-timeout.C:
		return fmt.Errorf("%s: the disk does not answer; not known to be on it, and not acknowledged: %d messages",
			s.path, s.committing.Load())
	}
}

// Reopen implements [Reopener]. Any goroutine may call it. It waits for the group
// that is being written, but not for a disk that does not answer: the file is then
// opened again as soon as it does.
func (s *fileSink) Reopen() error {
	timeout := time.NewTimer(s.cfg.CloseTimeout)
	defer timeout.Stop()
	r := s.askReopen()
	select {
	case <-r.done:
		return r.err
	case <-s.done:
		return fmt.Errorf("%s: the sink is closed", s.path)
	case <-timeout.C:
		return fmt.Errorf("%s: will be opened again when the write that is under way has ended", s.path)
	}
}

// reopening is a request to open the file again; all who ask before it is served share it.
type reopening struct {
	done chan struct{}
	err  error // set before done is closed
}

// askReopen returns the request that waits, or makes one.
func (s *fileSink) askReopen() *reopening {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reopening == nil {
		s.reopening = &reopening{done: make(chan struct{})}
		s.reopens <- struct{}{}
	}
	return s.reopening
}

// serveReopen opens the file again for all who have asked.
func (s *fileSink) serveReopen() {
	s.mu.Lock()
	r := s.reopening
	s.reopening = nil
	s.mu.Unlock()
	r.err = s.records.reopen()
	close(r.done)
}

// run is the commit goroutine.
func (s *fileSink) run() {
	defer close(s.done)
	defer s.records.close()
	g := &group{}
	for {
		select {
		case <-s.filled:
		case <-s.reopens:
			s.serveReopen()
			continue
		case <-s.ctx.Done():
			return
		}
		g = s.swap(g)
		if len(g.data) == 0 {
			// The token was for messages that the swap before has taken as well.
			continue
		}
		s.committing.Store(int64(g.messages))
		s.split.give(s.cfg.Log)
		if !s.commit(g) {
			return
		}
		s.committing.Store(0)
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
		func() (struct{}, error) { return struct{}{}, s.records.append(g.data) },
		backoff.WithBackOff(s.cfg.newBackoff()),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if since.IsZero() {
				since = time.Now()
				s.cfg.Log.Error("cannot append to the sink's file; messages wait", "path", s.path, "error", err)
			}
			s.setDown(err)
		}))
	if err != nil {
		return false
	}
	if !since.IsZero() {
		s.setDown(nil)
		s.cfg.Log.Info("appending to the sink's file again", "path", s.path, "after", time.Since(since))
	}
	return true
}

func (s *fileSink) setDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}
