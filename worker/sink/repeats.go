package sink

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeatInterval is the least time between two lines about the same kind of event.
const repeatInterval = time.Second

// Repeats logs an event that may recur quickly: the first at once, then at most one
// line per repeatInterval, with the latest event's attributes and, if there was more
// than one since the line before, their number as "times". So does the gateway's type of
// this name, which its loop drives; this one has a timer. Any goroutine may use it. No
// lock is held while a line is written.
type Repeats struct {
	log   *slog.Logger
	level slog.Level
	text  string

	mu     sync.Mutex
	times  int         // events not logged yet
	latest []any       // attributes of the latest of them
	pause  *time.Timer // until the next line may be written; nil: it may be now
	closed bool
}

// NewRepeats makes the log of one kind of event, with its level and text.
func NewRepeats(log *slog.Logger, level slog.Level, text string) *Repeats {
	return &Repeats{log: log, level: level, text: text}
}

// Add logs an event with these attributes, now or after the pause.
func (r *Repeats) Add(attrs ...any) {
	r.mu.Lock()
	r.times++
	r.latest = attrs
	if r.pause != nil && !r.closed {
		r.mu.Unlock()
		return
	}
	r.writeAndUnlock()
}

// resume ends a pause: what has happened meanwhile is logged, and begins another.
func (r *Repeats) resume() {
	r.mu.Lock()
	r.pause = nil
	if r.times == 0 {
		r.mu.Unlock()
		return
	}
	r.writeAndUnlock()
}

func (r *Repeats) writeAndUnlock() {
	attrs := r.latest
	if r.times > 1 {
		attrs = append(attrs, "times", r.times)
	}
	r.times, r.latest = 0, nil
	if !r.closed {
		r.pause = time.AfterFunc(repeatInterval, r.resume)
	}
	r.mu.Unlock()
	r.log.Log(context.Background(), r.level, r.text, attrs...)
}

// Close ends the pause for good.
func (r *Repeats) Close() {
	r.mu.Lock()
	r.closed = true
	if r.pause != nil {
		r.pause.Stop()
	}
	r.mu.Unlock()
	r.resume()
}
