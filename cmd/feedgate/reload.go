package main

import (
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// reloader rereads certificates and secrets and reopens files at each SIGHUP. If a part
// fails, its previous contents stay in use.
type reloader struct {
	log    *slog.Logger
	caught chan os.Signal
	ended  chan struct{}

	mu    sync.Mutex
	parts []reloadPart
}

type reloadPart struct {
	name   string // the flags
	reload func() error
}

// startReloader starts the goroutine that waits for SIGHUP, which stop ends.
func startReloader(log *slog.Logger) *reloader {
	r := &reloader{log: log, caught: make(chan os.Signal, 1), ended: make(chan struct{})}
	signal.Notify(r.caught, syscall.SIGHUP)
	go r.run()
	return r
}

// add adds a part. Any goroutine may call it.
func (r *reloader) add(name string, reload func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts = append(r.parts, reloadPart{name, reload})
}

// addReopen adds a part if the sink of the flag has a file to reopen.
func (r *reloader) addReopen(flag string, what any) {
	if file, ok := what.(interface{ Reopen() error }); ok {
		r.add(flag, file.Reopen)
	}
}

// run reloads at each SIGHUP. With nothing to reload it logs that, instead of letting the
// signal end the process.
func (r *reloader) run() {
	defer close(r.ended)
	for range r.caught {
		r.mu.Lock()
		parts := r.parts
		r.mu.Unlock()
		if len(parts) == 0 {
			r.log.Info("SIGHUP: there is nothing to reload")
		}
		for _, part := range parts {
			if err := part.reload(); err != nil {
				r.log.Error("cannot reload; the previous contents stay in use", "flag", part.name, "error", err)
				continue
			}
			r.log.Info("reloaded; new connections and messages use it", "flag", part.name)
		}
	}
}

func (r *reloader) stop() {
	signal.Stop(r.caught)
	close(r.caught)
	<-r.ended
}
