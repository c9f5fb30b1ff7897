package main

import (
	"log/slog"
	"sync"

	"feedgate/gateway"
)

// lastLines writes the end of run's log, once: why it ended, if not in order, and from the
// line "starting" on the totals. Main's goroutine writes it, or the watchdog's.
type lastLines struct {
	log  *slog.Logger
	once sync.Once

	mu     sync.Mutex
	totals func() gateway.Totals // nil: "starting" was not logged
}

// from sets what returns the totals.
func (l *lastLines) from(totals func() gateway.Totals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals = totals
}

// write calls why, which logs why run ended, and logs the totals.
func (l *lastLines) write(why func()) {
	l.once.Do(func() {
		why()
		l.mu.Lock()
		totals := l.totals
		l.mu.Unlock()
		if totals != nil {
			l.log.Info("stopped", totals().Attrs()...)
		}
	})
}
