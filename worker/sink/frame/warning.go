package frame

import (
	"bytes"
	"log/slog"
	"sync/atomic"
)

// LFWarning logs a warning, once per sink, if a message contains LF and so becomes several lines.
// Workers look for LF; the goroutine that writes logs the warning, because a log may block.
type LFWarning struct {
	Off    bool // the framing is not Line
	seen   atomic.Bool
	logged bool // used by the goroutine that writes
}

// Look looks for LF in a message. Any worker may call it.
func (w *LFWarning) Look(data []byte) {
	if !w.Off && !w.seen.Load() && bytes.IndexByte(data, '\n') >= 0 {
		w.seen.Store(true)
	}
}

// LogOnce logs the warning, if a message with LF was seen and it was not logged yet. Only the
// goroutine that writes may call it.
func (w *LFWarning) LogOnce(log *slog.Logger) {
	if !w.logged && w.seen.Load() {
		w.logged = true
		log.Warn("a message contains LF: it is several lines in the output; add ?frame=length or ?frame=json to keep messages apart")
	}
}
