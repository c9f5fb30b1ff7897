// Package stdout is the sink stdout:, which writes messages to standard output.
//
// One goroutine writes. Handle waits until its messages are written or the workers stop.
package stdout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"feedgate/worker"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
)

// Kind is stdout:. The default is one worker, because a second one gains nothing and loses the
// order of arrival.
var Kind = sink.Kind{
	Schemes: []string{"stdout"},
	Form:    "stdout:",
	Help:    "writes each message and LF to standard output",
	Details: frame.Help,
	Workers: 1,
	Remote:  true,
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		path, f, err := frame.ParseURL(u)
		if err != nil {
			return sink.Target{}, err
		}
		if path != "" {
			return sink.Target{}, errors.New("nothing but ?frame= may follow stdout:")
		}
		return sink.Target{UsesMeta: f.UsesMeta(), Probe: probe, Open: func(cfg *sink.Config) (*sink.Sink, error) {
			s, err := newStdout(f, cfg)
			if err != nil {
				return nil, err
			}
			return &sink.Sink{Sink: s}, nil
		}}, nil
	},
}

// stdoutChunk is the size above which a batch is written in several pieces, and above twice of
// which a worker does not keep its buffer, in bytes.
const stdoutChunk = 1 << 20

// stdout writes with one goroutine, so that records of different workers do not mix, and so that
// Handle can return when the workers stop: a write to standard output that blocks cannot be
// interrupted. Batches are written in the order in which the goroutine receives them; with one
// worker, that is the order of arrival.
//
// Any write error fails the sink: how much of the output was read is unknown, and there is no other
// place to write to.
type stdout struct {
	w       io.Writer
	cfg     *sink.Config
	framing frame.Framing
	warning frame.LFWarning
	jobs    chan stdoutJob
	stop    chan struct{}
	done    chan struct{} // closed when the writer has ended
	sigpipe chan os.Signal

	fail   sync.Once
	failed chan struct{}
	err    error // set before failed is closed
}

type stdoutJob struct {
	data    []byte
	n       int          // messages
	written chan<- error // buffered
}

func newStdout(f frame.Framing, cfg *sink.Config) (*stdout, error) {
	if err := checkStdout(cfg.Stdout); err != nil {
		return nil, err
	}
	s := &stdout{
		w: cfg.Stdout, cfg: cfg, framing: f,
		jobs: make(chan stdoutJob), stop: make(chan struct{}), done: make(chan struct{}),
		sigpipe: make(chan os.Signal, 1), failed: make(chan struct{}),
	}
	s.warning.Off = f != frame.Line
	// A write to a broken pipe on descriptor 1 kills a Go program that has not asked to be
	// notified of SIGPIPE. Child processes would inherit it if it were ignored instead.
	signal.Notify(s.sigpipe, syscall.SIGPIPE)
	go s.run()
	return s, nil
}

// probe implements Probe of [sink.Target].
func probe(_ context.Context, cfg *sink.Config) (found string, err error) {
	return "standard output is open", checkStdout(cfg.Stdout)
}

func (s *stdout) Open(c worker.Completer) (worker.Handler, error) {
	return &printer{sink: s, stopped: c.Context().Done(), written: make(chan error, 1)}, nil
}

func (s *stdout) Ready() error            { return s.Err() }
func (s *stdout) Failed() <-chan struct{} { return s.failed }

func (s *stdout) Err() error {
	select {
	case <-s.failed:
		return s.err
	default:
		return nil
	}
}

// Close waits for the goroutine that writes, up to Config.CloseTimeout if its write blocks.
func (s *stdout) Close() error {
	close(s.stop)
	defer signal.Stop(s.sigpipe)
	timeout := time.NewTimer(s.cfg.CloseTimeout)
	defer timeout.Stop()
	select {
	case <-s.done:
		return nil
	case <-timeout.C:
		return errors.New("standard output: the last write is blocked: nobody reads")
	}
}

func (s *stdout) run() {
	defer close(s.done)
	for {
		select {
		case <-s.stop:
			return
		case job := <-s.jobs:
			s.warning.LogOnce(s.cfg.Log)
			end := s.cfg.Stats.Begin(job.n)
			err := s.write(job.data)
			end(true)
			if err != nil {
				s.fail.Do(func() {
					s.err = fmt.Errorf("standard output: %w", explain(err))
					close(s.failed)
				})
			}
			job.written <- err
			if err != nil {
				return
			}
		}
	}
}

func (s *stdout) write(p []byte) error {
	for len(p) > 0 {
		n, err := s.w.Write(p)
		p = p[n:]
		if errors.Is(err, syscall.EAGAIN) {
			// Another process that shares the open file has made it non-blocking.
			err = waitWritable(s.w)
		} else if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// explain adds the meaning of a write error.
func explain(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("its reader is gone: %w", err)
	}
	return err
}

// printer is one worker's handler.
type printer struct {
	sink    *stdout
	stopped <-chan struct{} // closed when the workers stop
	written chan error      // the result of this worker's job
	buf     []byte
}

func (h *printer) Handle(b worker.Batch) {
	for b.Len() > 0 {
		h.buf = h.buf[:0]
		n := 0
		for n < b.Len() {
			m := b.At(n)
			if n > 0 && len(h.buf)+len(m.Data) >= stdoutChunk {
				break
			}
			h.sink.warning.Look(m.Data)
			h.buf = h.sink.framing.Append(h.buf, m)
			n++
		}
		if !h.print(n) {
			b.Defer(b.Len())
			return
		}
		b.Resolve(n, worker.OK)
		h.sink.cfg.Stats.Messages.Add(uint64(n))
		if cap(h.buf) > 2*stdoutChunk {
			h.buf = nil
		}
	}
}

// print writes the buffer, which has n messages. It returns false if the write failed, or was not finished when the
// workers stopped; then the goroutine that writes keeps the buffer.
func (h *printer) print(n int) bool {
	select {
	case h.sink.jobs <- stdoutJob{h.buf, n, h.written}:
	case <-h.sink.failed:
		return false
	case <-h.stopped:
		return false
	}
	select {
	case err := <-h.written:
		return err == nil
	case <-h.stopped:
		h.buf, h.written = nil, nil
		return false
	}
}

func (h *printer) Drain()       {}
func (h *printer) Close() error { return nil }
