package sink

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeatInterval is the least time between two lines about the same kind of event.
const repeatInterval = time.Second

// repeats logs an event that may recur quickly: the first at once, then at most one
// line per repeatInterval, with the latest event's attributes and, as "count", the
// number of events since the line before. Any goroutine may use it. No lock is held
// while a line is written.
type repeats struct {
	log   *slog.Logger
	level slog.Level
	text  string

	mu     sync.Mutex
	count  int         // events not logged yet
	latest []any       // attributes of the latest of them
	pause  *time.Timer // until the next line may be written; nil: it may be now
	closed bool
}

func newRepeats(log *slog.Logger, level slog.Level, text string) *repeats {
	return &repeats{log: log, level: level, text: text}
}

func (r *repeats) add(attrs ...any) {
	r.mu.Lock()
	r.count++
	r.latest = attrs
	if r.pause != nil && !r.closed {
		r.mu.Unlock()
		return
	}
	r.writeAndUnlock()
}

// resume ends a pause: what has happened meanwhile is logged, and begins another.
func (r *repeats) resume() {
	r.mu.Lock()
	r.pause = nil
	if r.count == 0 {
		r.mu.Unlock()
		return
	}
	r.writeAndUnlock()
}

func (r *repeats) writeAndUnlock() {
	attrs := append(r.latest, "count", r.count)
	r.count, r.latest = 0, nil
	if !r.closed {
		r.pause = time.AfterFunc(repeatInterval, r.resume)
	}
	r.mu.Unlock()
	r.log.Log(context.Background(), r.level, r.text, attrs...)
}

// close ends the pause for good.
func (r *repeats) close() {
	r.mu.Lock()
	r.closed = true
	if r.pause != nil {
		r.pause.Stop()
	}
	r.mu.Unlock()
	r.resume()
}
