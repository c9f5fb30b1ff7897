// Package file is the sink file:, which appends messages to a file.
//
// Only one sink appends to a file, which it locks (flock). If a killed process has left an
// unfinished record at the end, the sink repairs that when it opens the file, and deletes nothing:
// an unfinished line gets its LF; an unfinished frame is moved to PATH.unfinished or, if that
// exists, to PATH.unfinished.1 and so on. A file with another framing is an error.
//
// The file may be renamed or removed at any time; the next commit, or Reopen, starts a new one at
// PATH. A message that is acknowledged is in the new file, or was in the old one before that was
// renamed, or in both. The old one may end with an unfinished record, which is in the new file as a
// whole. If a rotation copies the file and then truncates it, messages written in between are lost,
// as with any program.
//
// One goroutine commits. Handle copies messages to a buffer of limited size, and blocks only while
// that is full.
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

// Kind is file:PATH. The default is one worker, because a second one gains nothing and loses the
// order of arrival.
var Kind = sink.Kind{
	Schemes:     []string{"file"},
	Form:        "file:PATH",
	Help:        "appends each message and LF, and syncs them to the disk",
	Details:     frame.Help,
	Workers:     1,
	Remote:      true,
	DeadLetters: true,
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		path, f, err := frame.ParseURL(u)
		if err != nil {
			return sink.Target{}, err
		}
		if path == "" {
			return sink.Target{}, errors.New("want a path, as in file:/var/lib/feed.log")
		}
		return sink.Target{File: path, UsesMeta: f.UsesMeta(), Probe: probe(path), Open: func(cfg *sink.Config) (*sink.Sink, error) {
			s, err := newFile(path, f, cfg, max(int(cfg.Buffer/2), 1), osDisk{})
			if err != nil {
				return nil, err
			}
			return &sink.Sink{Sink: s, Reopen: s.Reopen}, nil
		}}, nil
	},
}

// fileSink appends to a file by group commit. Workers copy messages to the group that is filling.
// The commit goroutine swaps it for an empty one, makes it durable and resolves its messages. So
// one fsync serves all messages that arrived during the one before. Messages are in the file in the
// order in which workers copied them; with one worker, that is the order of arrival.
//
//	newFile opens the file and starts the commit goroutine.
//	Close stops it; messages that are not durable by then stay unresolved. If the disk does not
//	respond, Close returns all the same, and the goroutine remains.
type fileSink struct {
	worker.AlwaysReady
	cfg *sink.Config
	// buffer limits a group, in bytes. A longer message is a group of its own.
	buffer  int
	path    string
	framing frame.Framing
	warning frame.LFWarning

	mu      sync.Mutex
	filling *group
	swapped chan struct{} // closed, and replaced, when filling is swapped
	down    error         // why the last commit failed; nil: it did not
	// reopening is the pending request to open the file again; nil: none.
	reopening *reopening

	filled chan struct{} // has one if filling is not empty
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{} // closed when the commit goroutine has ended

	reopens    chan struct{} // has one if reopening is set
	committing atomic.Int64  // messages in the group that is being made durable

	records *recordFile // used by the commit goroutine
}

func newFile(path string, f frame.Framing, cfg *sink.Config, buffer int, d disk) (*fileSink, error) {
	records := &recordFile{path: path, framing: f, disk: d, log: cfg.Log}
	if err := records.open(); err != nil {
		records.close()
		return nil, err
	}
	s := &fileSink{
		cfg: cfg, buffer: buffer, path: path, framing: f, records: records, filling: &group{},
		swapped: make(chan struct{}), filled: make(chan struct{}, 1), done: make(chan struct{}),
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

// Close implements [worker.Sink]. A write or fsync that hangs cannot be interrupted; Close does not
// wait for it for longer than Config.CloseTimeout.
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

// Reopen implements that of [sink.Sink]. It waits for the group that is being written, up to
// Config.CloseTimeout; after that, the file is opened again once the disk responds.
func (s *fileSink) Reopen() error {
	closed := fmt.Errorf("%s: the sink is closed", s.path)
	select {
	case <-s.done:
		return closed // also with a timeout of 0
	default:
	}
	timeout := time.NewTimer(s.cfg.CloseTimeout)
	defer timeout.Stop()
	r := s.requestReopen()
	select {
	case <-r.done:
		return r.err
	case <-s.done:
		return closed
	case <-timeout.C:
		return fmt.Errorf("%s: will be opened again when the write in progress has ended", s.path)
	}
}

// reopening is a request to open the file again. All callers of Reopen share it until it is served.
type reopening struct {
	done chan struct{}
	err  error // set before done is closed
}

// requestReopen returns the pending request, or makes one.
func (s *fileSink) requestReopen() *reopening {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reopening == nil {
		s.reopening = &reopening{done: make(chan struct{})}
		s.reopens <- struct{}{}
	}
	return s.reopening
}

// serveReopen opens the file again and answers the pending request.
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
	defer func() { s.free(g) }() // after close(s.done), so that Close does not wait for it
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
			// The messages were in the previous group already.
			continue
		}
		s.committing.Store(int64(g.messages))
		s.warning.LogOnce(s.cfg.Log)
		if !s.commit(g) {
			return
		}
		s.committing.Store(0)
		s.cfg.Stats.Messages.Add(uint64(g.messages))
		for _, r := range g.runs {
			r.h.c.Resolve(r.first, r.n, worker.OK)
			r.h.c.Flush()
		}
		g.reset(s.buffer)
	}
}

// free frees the memory of both groups after the sink was closed.
func (s *fileSink) free(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.free()
	s.filling.free()
}

// swap replaces the group that is filling with an empty one, and returns it.
func (s *fileSink) swap(empty *group) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.filling
	s.filling = empty
	close(s.swapped)
	s.swapped = make(chan struct{})
	return full
}

// commit makes a group durable, however long that takes. It returns false if the sink was closed
// before.
func (s *fileSink) commit(g *group) bool {
	var since time.Time
	_, err := backoff.Retry(s.ctx,
		func() (struct{}, error) {
			defer s.cfg.Stats.Begin(g.messages)(true)
			return struct{}{}, s.records.append(g.data)
		},
		backoff.WithBackOff(s.cfg.NewBackoff()),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if since.IsZero() {
				since = time.Now()
				s.cfg.Log.Error("cannot append to the sink's file; messages wait", "path", s.path, "error", err)
			}
			s.setDown(err)
			s.cfg.Stats.Retries.Add(1)
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
