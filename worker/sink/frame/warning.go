package frame

import (
	"bytes"
	"log/slog"
	"sync/atomic"
)

// LFWarning is logged once per sink if a message contains LF, so that line framing makes
// several lines of it. Workers look for LF; the writing goroutine logs, because a log may
// block and a worker must not.
type LFWarning struct {
	Off    bool // the framing keeps messages whole
	seen   atomic.Bool
	logged bool // the writing goroutine's
}

// Look notes whether a message contains LF. Any worker may call it.
func (w *LFWarning) Look(data []byte) {
	if !w.Off && !w.seen.Load() && bytes.IndexByte(data, '\n') >= 0 {
		w.seen.Store(true)
	}
}

// Give logs the warning once a message with LF was seen. Writing goroutine only.
func (w *LFWarning) Give(log *slog.Logger) {
	if !w.logged && w.seen.Load() {
		w.logged = true
		log.Warn("a message contains LF: it is several lines in the output; add ?frame=length or ?frame=json to keep messages apart")
	}
}
