package sink

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// repeatInterval is the least time between two lines of a Repeats.
const repeatInterval = time.Second

// Repeats logs an event that may occur often: the first one at once, then at most one line per
// second, with the attributes of the latest event and, if there were several since the last line,
// their number as "times". Any goroutine may use it.
type Repeats struct {
	log   *slog.Logger
	level slog.Level
	text  string

	mu     sync.Mutex
	times  int         // events not logged yet
	latest []any       // attributes of the latest of them
	pause  *time.Timer // runs until the next line may be written; nil: now
	closed bool
}

// NewRepeats returns a Repeats that logs lines with this level and text.
func NewRepeats(log *slog.Logger, level slog.Level, text string) *Repeats {
	return &Repeats{log: log, level: level, text: text}
}

// Add logs an event with these attributes, now or at the end of the pause.
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

// Forget discards the events that are not logged yet, because they are over: a late line would be
// wrong.
func (r *Repeats) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.times, r.latest = 0, nil
}

// resume ends a pause. If there were events meanwhile, it logs them and starts another one.
func (r *Repeats) resume() {
	r.mu.Lock()
	r.pause = nil
	if r.times == 0 {
		r.mu.Unlock()
		return
	}
	r.writeAndUnlock()
}

// writeAndUnlock writes a line. No lock is held meanwhile, because a log may block.
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

// Close logs the events that are not logged yet. Later ones are logged at once.
func (r *Repeats) Close() {
	r.mu.Lock()
	r.closed = true
	if r.pause != nil {
		r.pause.Stop()
	}
	r.mu.Unlock()
	r.resume()
}
