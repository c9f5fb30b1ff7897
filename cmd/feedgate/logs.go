package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"feedgate/cmd/feedgate/cli"
)

// logFlags are the flags of commands with a log.
type logFlags struct {
	LogFormat string `group:"log" placeholder:"FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json [${default}]."`
	LogLevel  string `group:"log" placeholder:"LEVEL" enum:"debug,info,warn,error" default:"info" help:"Lowest level: debug, info, warn or error [${default}]."`
}

// logger returns a logger in the format and at the level of the flags.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	if w, ok := w.(*logWriter); ok {
		w.setDropReport(f.dropReport)
	}
	return slog.New(newLineHandler(w, f.handler))
}

// handler returns a handler that cuts each value and message to limit bytes; 0: no limit. It
// formats durations as in 1.5s, in JSON too.
func (f logFlags) handler(w io.Writer, limit int) slog.Handler {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // the enum of LogLevel lists slog's names
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		return slog.Attr{Key: a.Key, Value: shorten(a.Value, limit)}
	}}
	if f.LogFormat == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// dropReport is a log line that reports the number of dropped lines.
func (f logFlags) dropReport(dropped uint64) []byte {
	var b bytes.Buffer
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines dropped: standard error was not read", 0)
	r.AddAttrs(slog.Uint64("dropped", dropped))
	if err := f.handler(&b, 0).Handle(context.Background(), r); err != nil {
		panic(err) // writes to a buffer do not fail
	}
	return b.Bytes()
}

// shorten cuts the text of v to limit bytes; 0: no limit.
func shorten(v slog.Value, limit int) slog.Value {
	switch v.Kind() {
	case slog.KindDuration:
		return slog.StringValue(v.Duration().String())
	case slog.KindString:
		return slog.StringValue(cli.Cut(v.String(), limit))
	case slog.KindAny:
		if _, level := v.Any().(slog.Level); limit > 0 && !level {
			return slog.StringValue(cli.Cut(fmt.Sprint(v.Any()), limit))
		}
	}
	return v
}

// valueLimits are the limits for each value of a line, in bytes, tried in turn until the line is
// short enough; 0: no limit. Escaping makes up to six bytes of one, and a line has fewer than a
// dozen values.
var valueLimits = [...]int{0, 1024, 256, 32}

// lineHandler writes a record as one line of at most cli.MaxLine bytes, with one Write.
type lineHandler struct {
	handlers [len(valueLimits)]slog.Handler // by value limit; each writes to line.buf
	bare     slog.Handler                   // the last one, without the attributes of WithAttrs
	line     *logLine
}

// logLine is the state that all handlers derived from one logger share.
type logLine struct {
	mu  sync.Mutex
	buf bytes.Buffer
	out io.Writer
}

func newLineHandler(w io.Writer, newHandler func(w io.Writer, limit int) slog.Handler) *lineHandler {
	h := &lineHandler{line: &logLine{out: w}}
	for i, limit := range valueLimits {
		h.handlers[i] = newHandler(&h.line.buf, limit)
	}
	h.bare = h.handlers[len(h.handlers)-1]
	return h
}

// Enabled implements [slog.Handler].
func (h *lineHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.handlers[0].Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	buf := &h.line.buf
	write := func(handler slog.Handler, r slog.Record) error {
		buf.Reset()
		return handler.Handle(ctx, r)
	}
	for _, handler := range h.handlers {
		if err := write(handler, r); err != nil {
			return err
		}
		if buf.Len() <= cli.MaxLine {
			break
		}
	}
	if buf.Len() > cli.MaxLine {
		if err := write(h.bare, slog.NewRecord(r.Time, r.Level, r.Message, r.PC)); err != nil {
			return err
		}
	}
	_, err := h.line.out.Write(buf.Bytes())
	return err
}

// WithAttrs implements [slog.Handler].
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(handler slog.Handler) slog.Handler { return handler.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h *lineHandler) WithGroup(name string) slog.Handler {
	return h.with(func(handler slog.Handler) slog.Handler { return handler.WithGroup(name) })
}

func (h *lineHandler) with(change func(slog.Handler) slog.Handler) slog.Handler {
	c := *h
	for i, handler := range h.handlers {
		c.handlers[i] = change(handler)
	}
	return &c
}
