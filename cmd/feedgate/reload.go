package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"feedgate/worker/sink"
)

// reloadSlow is how long a reload may take before that is logged.
const reloadSlow = 2 * time.Second

// reloader rereads certificates and secrets and reopens files at each SIGHUP. If a part
// fails, its previous contents stay in use. Each part has a goroutine, so that one whose
// file blocks, such as a FIFO or a file of a dead server, holds up neither the others nor
// the end of the process.
type reloader struct {
	log    *slog.Logger
	caught <-chan os.Signal
	parts  []*reloadPart
	ended  chan struct{}

	mu   sync.Mutex
	over bool // nothing is logged any more
}

type reloadPart struct {
	name   string // the flags
	reload func() error
	asked  chan struct{} // room for one: those that arrive during a reload are one
}

// newReloader makes a reloader for the SIGHUPs of caught. Those that arrive before start
// wait there.
func newReloader(log *slog.Logger, caught <-chan os.Signal) *reloader {
	return &reloader{log: log, caught: caught, ended: make(chan struct{})}
}

// add adds a part, before start.
func (r *reloader) add(name string, reload func() error) {
	r.parts = append(r.parts, &reloadPart{name, reload, make(chan struct{}, 1)})
}

// addReopen adds a part if the sink of the flag, which may be nil, has a file to reopen.
func (r *reloader) addReopen(flag string, s *sink.Sink) {
	if s != nil && s.Reopen != nil {
		r.add(flag, s.Reopen)
	}
}

// start starts the goroutines, which stop ends.
func (r *reloader) start() {
	for _, part := range r.parts {
		go r.serve(part)
	}
	go r.run()
}

// run asks all parts at each SIGHUP. With nothing to reload it logs that, instead of letting
// the signal end the process.
func (r *reloader) run() {
	for {
		select {
		case <-r.caught:
		case <-r.ended:
			return
		}
		if len(r.parts) == 0 {
			r.report(slog.LevelInfo, "SIGHUP: there is nothing to reload")
		}
		for _, part := range r.parts {
			signalTo(part.asked)
		}
	}
}

func (r *reloader) serve(part *reloadPart) {
	for {
		select {
		case <-part.asked:
		case <-r.ended:
			return
		}
		slow := time.AfterFunc(reloadSlow, func() {
			r.report(slog.LevelWarn, "a reload takes long; the previous contents stay in use", "flag", part.name)
		})
		err := part.reload()
		slow.Stop()
		if err != nil {
			r.report(slog.LevelError, "cannot reload; the previous contents stay in use", "flag", part.name, "error", err)
			continue
		}
		r.report(slog.LevelInfo, "reloaded; new connections and messages use it", "flag", part.name)
	}
}

func (r *reloader) report(level slog.Level, msg string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.log.Log(context.Background(), level, msg, args...)
	}
}

// stop ends the reloads, and their lines in the log. It does not wait for one that hangs.
func (r *reloader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.over = true
		close(r.ended)
	}
}
