// Package throttle limits repeated log lines to one of a kind per second. [Limiter] uses its owner's
// clock; [Handler] is a log handler in front of another one.
package throttle

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// kindKeys are the attributes that distinguish kinds of records with the same message: where it
// happened, and why.
var kindKeys = []string{"upstream", "nsqlookupd", "reason"}

// Handler passes records on to another handler: the first of a kind at once, and after Every the
// latest of those that followed, with their number as "times" if there were several. It is safe for
// concurrent use.
type Handler struct {
	next   slog.Handler
	detail string // values of kindKeys that the logger was made with
	all    *shared
}

// shared is common to a Handler and those made from it.
type shared struct {
	epoch time.Time // when the limiter's clock was 0

	mu      sync.Mutex
	limiter Limiter
	timer   *time.Timer // calls flush; nil until it is needed
	ended   bool
}

// New makes a Handler in front of next.
func New(next slog.Handler) *Handler {
	return &Handler{next: next, all: &shared{epoch: time.Now()}}
}

// Enabled implements [slog.Handler].
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	made := *h
	made.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		made.detail += detail(a)
	}
	return &made
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	made := *h
	made.next = h.next.WithGroup(name)
	return &made
}

// detail returns what a contributes to the kind of a record; empty: nothing.
func detail(a slog.Attr) string {
	if !slices.Contains(kindKeys, a.Key) {
		return ""
	}
	return a.Key + "=" + a.Value.String() + "\n"
}

// Handle implements [slog.Handler].
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	kind := Kind{r.Message, h.detail}
	r.Attrs(func(a slog.Attr) bool {
		kind.Detail += detail(a)
		return true
	})
	all := h.all
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.ended {
		return h.next.Handle(ctx, r)
	}
	r = r.Clone()
	var err error
	returned := false // guarded by mu
	all.limiter.Add(time.Since(all.epoch), kind, func(events int) {
		if events > 1 {
			r.AddAttrs(slog.Int("times", events))
		}
		if e := h.next.Handle(ctx, r); !returned {
			err = e // an error of a later line is lost
		}
	})
	returned = true
	all.setTimer()
	return err
}

// setTimer sets the timer for the next line that is due. The caller has mu.
func (all *shared) setTimer() {
	due := all.limiter.Due()
	if due == 0 {
		return
	}
	wait := due - time.Since(all.epoch)
	if all.timer == nil {
		all.timer = time.AfterFunc(wait, all.flush)
	} else {
		all.timer.Reset(wait)
	}
}

func (all *shared) flush() {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.limiter.Flush(time.Since(all.epoch))
	all.setTimer()
}

// End logs what is waiting, oldest first. Later records are passed on at once.
func (h *Handler) End() {
	all := h.all
	all.mu.Lock()
	defer all.mu.Unlock()
	all.ended = true
	if all.timer != nil {
		all.timer.Stop()
	}
	all.limiter.End(time.Since(all.epoch))
}
