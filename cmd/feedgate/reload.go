package main

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"feedgate/worker/sink"
)

// reloadSlow is the time after which a reload is logged as slow.
const reloadSlow = 2 * time.Second

// reloader rereads certificates and secrets and reopens files at each SIGHUP. If a part
// fails, its previous contents stay in use. Each part has a goroutine: if its file blocks, such as
// a FIFO or a file on a dead server, the other parts and the end of the process do not wait.
type reloader struct {
	log     *slog.Logger
	hangups <-chan os.Signal
	parts   []*reloadPart
	nothing *sink.Repeats // logged if there are no parts
	ended   chan struct{} // closed by stop

	mu      sync.Mutex
	stopped bool // nothing is logged any more
}

// reloadPart is a secret, a set of certificates or a file.
type reloadPart struct {
	reload    func() error
	requested chan struct{} // capacity 1: requests during a reload become one

	// Log lines, each at most once per second.
	done, failed, slow *sink.Repeats
}

// newReloader returns a reloader for the SIGHUPs of a channel, which keeps one until start.
func newReloader(log *slog.Logger, hangups <-chan os.Signal) *reloader {
	return &reloader{
		log: log, hangups: hangups, ended: make(chan struct{}),
		nothing: sink.NewRepeats(log, slog.LevelInfo, "SIGHUP: nothing to reload"),
	}
}

// add adds a part, which its log lines name by its flags. It must be called before start.
func (r *reloader) add(flags string, reload func() error) {
	log := r.log.With("flag", flags)
	r.parts = append(r.parts, &reloadPart{
		reload: reload, requested: make(chan struct{}, 1),
		done:   sink.NewRepeats(log, slog.LevelInfo, "reloaded, for new connections and messages"),
		failed: sink.NewRepeats(log, slog.LevelError, "cannot reload; the previous contents stay in use"),
		slow:   sink.NewRepeats(log, slog.LevelWarn, "reload is slow; the previous contents stay in use meanwhile"),
	})
}

// addReopen adds a part if s, the sink of the flag, can be reopened. s may be nil.
func (r *reloader) addReopen(flag string, s *sink.Sink) {
	if s != nil && s.Reopen != nil {
		r.add(flag, s.Reopen)
	}
}

// start starts the goroutines, which run until stop.
func (r *reloader) start() {
	for _, part := range r.parts {
		go r.serve(part)
	}
	go r.run()
}

// run requests a reload of all parts at each SIGHUP. If there are no parts, it logs that.
func (r *reloader) run() {
	for {
		select {
		case <-r.hangups:
		case <-r.ended:
			return
		}
		if len(r.parts) == 0 {
			r.report(r.nothing)
		}
		for _, part := range r.parts {
			signalTo(part.requested)
		}
	}
}

// serve reloads a part at each request.
func (r *reloader) serve(part *reloadPart) {
	for {
		select {
		case <-part.requested:
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

// report logs a line, unless the reloader is stopped.
func (r *reloader) report(line *sink.Repeats, attrs ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		line.Add(attrs...)
	}
}

// stop ends the goroutines and logs nothing from then on. It does not wait for a reload that hangs.
func (r *reloader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	r.stopped = true
	close(r.ended)
	r.nothing.Close()
	for _, part := range r.parts {
		part.done.Close()
		part.failed.Close()
		part.slow.Close()
	}
}
