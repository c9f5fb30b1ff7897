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

// logFlags are the flags of a command that logs.
type logFlags struct {
	LogFormat string `group:"log" placeholder:"FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json [${default}]."`
	LogLevel  string `group:"log" placeholder:"LEVEL" enum:"debug,info,warn,error" default:"info" help:"Lowest level: debug, info, warn or error [${default}]."`
}

// logger makes the logger that the flags ask for.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	if w, ok := w.(*logWriter); ok {
		w.setNote(f.note)
	}
	return slog.New(newLineHandler(w, f.form))
}

// form makes a handler whose values and message have at most limit bytes; 0: any number.
// Durations are texts such as 1.5s in JSON, too.
func (f logFlags) form(w io.Writer, limit int) slog.Handler {
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

// note is the log line that reports dropped lines.
func (f logFlags) note(missed uint64) []byte {
	var b bytes.Buffer
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines dropped: standard error was not read", 0)
	r.AddAttrs(slog.Uint64("dropped", missed))
	if err := f.form(&b, 0).Handle(context.Background(), r); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// shorten is v with at most limit bytes of text, if there is a limit.
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

// valueLimits, in bytes, are tried in turn until a line is short enough; 0 is no limit. An
// escaped byte takes up to six, and a gateway's lines have fewer than a dozen values.
var valueLimits = [...]int{0, 1024, 256, 32}

// lineHandler writes a record as one line of at most cli.MaxLine bytes, with one Write.
type lineHandler struct {
	forms [len(valueLimits)]slog.Handler // each writes to line.buf
	bare  slog.Handler                   // without the attributes of WithAttrs
	line  *logLine
}

// logLine is the state that all handlers of one logger share.
type logLine struct {
	mu  sync.Mutex
	buf bytes.Buffer
	out io.Writer
}

func newLineHandler(w io.Writer, form func(w io.Writer, limit int) slog.Handler) *lineHandler {
	h := &lineHandler{line: &logLine{out: w}}
	for i, limit := range valueLimits {
		h.forms[i] = form(&h.line.buf, limit)
	}
	h.bare = h.forms[len(h.forms)-1]
	return h
}

// Enabled implements [slog.Handler].
func (h *lineHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.forms[0].Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	buf := &h.line.buf
	write := func(form slog.Handler, r slog.Record) error {
		buf.Reset()
		return form.Handle(ctx, r)
	}
	for _, form := range h.forms {
		if err := write(form, r); err != nil {
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
	return h.with(func(form slog.Handler) slog.Handler { return form.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h *lineHandler) WithGroup(name string) slog.Handler {
	return h.with(func(form slog.Handler) slog.Handler { return form.WithGroup(name) })
}

func (h *lineHandler) with(change func(slog.Handler) slog.Handler) slog.Handler {
	c := *h
	for i, form := range h.forms {
		c.forms[i] = change(form)
	}
	return &c
}
