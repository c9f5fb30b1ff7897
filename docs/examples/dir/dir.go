// Package dir is an example of docs/adding-a-sink.md: a sink of one's own, which writes each
// message to a file. It is in no registry.
package dir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"feedgate/worker"
	"feedgate/worker/durable"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
)

// Kind is dir:PATH.
var Kind = sink.Kind{
	Schemes: []string{"dir"},
	Form:    "dir:PATH",
	Help:    "writes each message to a file of its own",
	Parse: func(u sink.URL, _ *flagset.Flags) (sink.Target, error) {
		path, _, err := u.Path()
		if err == nil && path == "" {
			err = errors.New("want a path, as in dir:inbox")
		}
		return sink.Target{Open: func(cfg *sink.Config) (*sink.Sink, error) {
			if err := os.MkdirAll(path, 0o700); err != nil {
				return nil, err
			}
			return &sink.Sink{Sink: &dirSink{path: path, cfg: cfg}}, nil
		}}, err
	},
}

// dirSink makes the handlers. It replaces Ready of AlwaysReady, because its disk can be full.
type dirSink struct {
	worker.AlwaysReady
	path string
	cfg  *sink.Config

	mu   sync.Mutex
	down error // why files cannot be written now
}

// Open implements [worker.Sink].
func (s *dirSink) Open(c worker.Completer) (worker.Handler, error) {
	return &handler{s, c.Context().Done()}, nil
}

// Ready implements [worker.Sink]. Any goroutine may call it, hence the lock.
func (s *dirSink) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

func (s *dirSink) setDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// handler is one worker's handler.
type handler struct {
	sink    *dirSink
	stopped <-chan struct{} // closed when the workers stop
}

// Handle implements [worker.Handler]. A message is done when its file is durable. An error is the
// disk's fault, not the message's, so the handler tries again until it succeeds or the workers
// stop. Messages not written by then stay unresolved, and are not acknowledged.
func (h *handler) Handle(b worker.Batch) {
	for b.Len() > 0 {
		if !h.write(b.At(0).Data) {
			b.Defer(b.Len()) // and never resolved
			return
		}
		b.Resolve(1, worker.OK)
	}
}

// write writes one file. Its name is a hash of its contents, so a message that is sent again is the
// same file. It returns false if the workers stop.
func (h *handler) write(data []byte) bool {
	sum := sha256.Sum256(data)
	name := filepath.Join(h.sink.path, hex.EncodeToString(sum[:]))
	wait := h.sink.cfg.NewBackoff()
	for {
		err := durable.Replace(name, data, 0o600)
		if err == nil {
			h.sink.setDown(nil)
			return true
		}
		h.sink.setDown(fmt.Errorf("dir: %w", err))
		h.sink.cfg.Log.Warn("cannot write a message; trying again", "error", err)
		select {
		case <-time.After(wait.NextBackOff()):
		case <-h.stopped:
			return false
		}
	}
}

// Drain implements [worker.Handler]. Nothing is deferred.
func (h *handler) Drain() {}

// Close implements [worker.Handler].
func (h *handler) Close() error { return nil }
