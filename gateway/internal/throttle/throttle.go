// Package throttle keeps a log from repeating itself: the first of the records of a kind is
// logged at once, those that follow within a second in one.
package throttle

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Every is the least time between two records of one kind.
const Every = time.Second

// kindKeys are the attributes that tell apart kinds of records with one message: where it
// happened, and why.
var kindKeys = []string{"upstream", "nsqlookupd", "reason"}

// Handler passes records on to another handler: the first of a kind at once, and after Every
// the latest of those that followed, with their number as "times" if it is more than one. It is
// safe for concurrent use.
type Handler struct {
	next slog.Handler
	kind string // values of kindKeys that loggers were made with
	all  *records
}

// records are shared by a Handler and those made from it.
type records struct {
	mu    sync.Mutex
	kinds map[kind]*repeated // those of which one was logged within Every
	ended bool
}

type kind struct{ message, where string }

// repeated is what was not logged yet.
type repeated struct {
	timer  *time.Timer // until the next may be logged
	times  int
	latest slog.Record
	next   slog.Handler // for latest
}

// New makes a Handler in front of next.
func New(next slog.Handler) *Handler {
	return &Handler{next: next, all: &records{kinds: make(map[kind]*repeated)}}
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
		made.kind += where(a)
	}
	return &made
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	made := *h
	made.next = h.next.WithGroup(name)
	return &made
}

// where is what a says about the kind of a record; empty: nothing.
func where(a slog.Attr) string {
	if !slices.Contains(kindKeys, a.Key) {
		return ""
	}
	return a.Key + "=" + a.Value.String() + "\n"
}

// Handle implements [slog.Handler].
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	k := kind{r.Message, h.kind}
	r.Attrs(func(a slog.Attr) bool {
		k.where += where(a)
		return true
	})
	all := h.all
	all.mu.Lock()
	defer all.mu.Unlock()
	e := all.kinds[k]
	if e != nil {
		e.times++
		e.latest, e.next = r.Clone(), h.next
		return nil
	}
	if !all.ended {
		e = &repeated{}
		e.timer = time.AfterFunc(Every, func() { all.due(k) })
		all.kinds[k] = e
	}
	return h.next.Handle(ctx, r)
}

// due logs what was repeated within Every. A kind that was not is forgotten.
func (all *records) due(k kind) {
	all.mu.Lock()
	defer all.mu.Unlock()
	e := all.kinds[k]
	if e == nil {
		return // End was first
	}
	if e.times == 0 {
		delete(all.kinds, k)
		return
	}
	e.log()
	e.timer.Reset(Every)
}

// log passes the latest record on. Nobody is there to take an error.
func (e *repeated) log() {
	if e.times > 1 {
		e.latest.AddAttrs(slog.Int("times", e.times))
	}
	_ = e.next.Handle(context.Background(), e.latest)
	e.times, e.latest = 0, slog.Record{}
}

// End logs what is left, oldest first. Records that come later are passed on at once.
func (h *Handler) End() {
	all := h.all
	all.mu.Lock()
	defer all.mu.Unlock()
	all.ended = true
	var left []*repeated
	for k, e := range all.kinds {
		e.timer.Stop()
		delete(all.kinds, k)
		if e.times > 0 {
			left = append(left, e)
		}
	}
	slices.SortFunc(left, func(a, b *repeated) int { return a.latest.Time.Compare(b.latest.Time) })
	for _, e := range left {
		e.log()
	}
}
