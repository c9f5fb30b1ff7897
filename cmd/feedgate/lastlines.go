package main

import (
	"log/slog"
	"sync"

	"feedgate/gateway"
)

// lastLines writes the last lines of run's log, once: the error, if any, and the totals, if
// "starting" was logged. Either main's goroutine or the watchdog writes them.
type lastLines struct {
	log  *slog.Logger
	once sync.Once

	mu     sync.Mutex
	totals func() gateway.Totals // nil: "starting" was not logged
}

// setTotals sets the function that returns the totals.
func (l *lastLines) setTotals(totals func() gateway.Totals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals = totals
}

// write calls logError, which logs the error if there is one, and logs the totals.
func (l *lastLines) write(logError func()) {
	l.once.Do(func() {
		logError()
		l.mu.Lock()
		totals := l.totals
		l.mu.Unlock()
		if totals != nil {
			l.log.Info("stopped", totals().Attrs()...)
		}
	})
}
