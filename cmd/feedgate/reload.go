package main

import (
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
	none   *sink.Repeats // there are no parts
	ended  chan struct{}

	mu   sync.Mutex
	over bool // nothing is logged any more
}

type reloadPart struct {
	reload func() error
	asked  chan struct{} // room for one: those that arrive during a reload are one

	// What is logged, at most once a second each.
	done, failed, slow *sink.Repeats
}

// newReloader makes a reloader for the SIGHUPs of caught. Those that arrive before start
// wait there.
func newReloader(log *slog.Logger, caught <-chan os.Signal) *reloader {
	return &reloader{
		log: log, caught: caught, ended: make(chan struct{}),
		none: sink.NewRepeats(log, slog.LevelInfo, "SIGHUP: there is nothing to reload"),
	}
}

// add adds a part of these flags, before start.
func (r *reloader) add(flags string, reload func() error) {
	log := r.log.With("flag", flags)
	r.parts = append(r.parts, &reloadPart{
		reload: reload, asked: make(chan struct{}, 1),
		done:   sink.NewRepeats(log, slog.LevelInfo, "reloaded; new connections and messages use it"),
		failed: sink.NewRepeats(log, slog.LevelError, "cannot reload; the previous contents stay in use"),
		slow:   sink.NewRepeats(log, slog.LevelWarn, "a reload takes long; the previous contents stay in use"),
	})
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
			r.report(r.none)
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
		slow := time.AfterFunc(reloadSlow, func() { r.report(part.slow) })
		err := part.reload()
		slow.Stop()
		if err != nil {
			r.report(part.failed, "error", err)
			continue
		}
		r.report(part.done)
	}
}

func (r *reloader) report(line *sink.Repeats, attrs ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		line.Add(attrs...)
	}
}

// stop ends the reloads, and their lines in the log. It does not wait for one that hangs.
func (r *reloader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	r.over = true
	close(r.ended)
	r.none.Close()
	for _, part := range r.parts {
		part.done.Close()
		part.failed.Close()
		part.slow.Close()
	}
}
