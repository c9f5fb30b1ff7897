// Package file has the sink that appends messages to a file, file:.
//
// A file is appended to by one sink, which locks it (flock). What a killed process
// left at its end is mended when it is opened, and nothing is deleted: an unfinished
// line gets its LF; an unfinished frame is moved to PATH.unfinished, or, where that
// exists, to PATH.unfinished.1 and so on. A file of another framing is an error.
//
// A file may be renamed, or removed, at any time; the next commit, or Reopen, starts
// another one at PATH. What is acknowledged is then in the new file or was in the
// old one before it was renamed, at worst in both. A reader of a renamed file must
// expect an unfinished record at its end, which is in the new file as a whole. Where
// a rotation copies the file and then empties it, what is written between the two is
// lost, as with any program.
//
// One goroutine commits. Handle copies into a bounded buffer and waits only when that is
// full, or for the pool to stop.
package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
)

// Kind is file:PATH. It is one stream: a second worker gains nothing and loses the order of
// arrival.
var Kind = sink.Kind{
	Schemes:     []string{"file"},
	Form:        "file:PATH",
	Help:        "appends each message and LF, and syncs them to the disk",
	Details:     frame.Help,
	Workers:     1,
	DeadLetters: true,
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		path, f, err := frame.ParseURL(u)
		if err != nil {
			return sink.Target{}, err
		}
		if path == "" {
			return sink.Target{}, errors.New("want a path, as in file:/var/lib/feed.log")
		}
		return sink.Target{File: path, UsesMeta: f.UsesMeta(), Open: func(cfg *sink.Config) (*sink.Sink, error) {
			s, err := newFile(path, f, cfg, max(int(cfg.Buffer/2), 1), osDisk{})
			if err != nil {
				return nil, err
			}
			return &sink.Sink{Sink: s, Reopen: s.Reopen}, nil
		}}, nil
	},
}

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
	worker.AlwaysReady
	cfg *sink.Config
	// buffer is how many bytes may wait for the next commit while one is under way. A message
	// longer than that waits alone.
	buffer  int
	path    string
	framing frame.Framing
	warning frame.LFWarning

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

func newFile(path string, f frame.Framing, cfg *sink.Config, buffer int, d disk) (*fileSink, error) {
	records := &recordFile{path: path, framing: f, disk: d, log: cfg.Log}
	if err := records.open(); err != nil {
		records.close()
		return nil, err
	}
	s := &fileSink{
		cfg: cfg, buffer: buffer, path: path, framing: f, records: records, filling: &group{},
		room: make(chan struct{}), filled: make(chan struct{}, 1), done: make(chan struct{}),
		reopens: make(chan struct{}, 1),
	}
	s.warning.Off = f != frame.Line
	s.ctx, s.stop = context.WithCancel(context.Background())
	go s.run()
	return s, nil
}

func (s *fileSink) Open(c worker.Completer) (worker.Handler, error) {
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

// Reopen is that of [sink.Sink]. Any goroutine may call it. It waits for the group
// that is being written, but not for a disk that does not answer: the file is then
// opened again as soon as it does.
func (s *fileSink) Reopen() error {
	closed := fmt.Errorf("%s: the sink is closed", s.path)
	select {
	case <-s.done:
		return closed // also if the timeout is over at once
	default:
	}
	timeout := time.NewTimer(s.cfg.CloseTimeout)
	defer timeout.Stop()
	r := s.askReopen()
	select {
	case <-r.done:
		return r.err
	case <-s.done:
		return closed
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
	g := &group{}
	defer func() { s.free(g) }() // last: Close does not wait for it
	defer close(s.done)
	defer s.records.close()
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
		s.warning.LogOnce(s.cfg.Log)
		if !s.commit(g) {
			return
		}
		s.committing.Store(0)
		for _, r := range g.runs {
			r.h.c.Resolve(r.first, r.n, worker.OK)
			r.h.c.Flush()
		}
		g.reset(s.buffer)
	}
}

// free gives back the memory of both groups, after the sink was closed.
func (s *fileSink) free(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.free()
	s.filling.free()
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
		backoff.WithBackOff(s.cfg.NewBackoff()),
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
