// Package faults collects what is wrong with settings, so that all of it is in one error, a
// line each that begins with the flag.
package faults

import (
	"errors"
	"fmt"
	"time"

	"feedgate/worker/selector"

	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// List is what is wrong with settings. The zero value is empty.
type List struct{ all []error }

// Add notes an error, unless nil, about a flag. The error must quote no value, for that
// can be a secret.
func (f *List) Add(flag string, err error) {
	if err != nil {
		f.all = append(f.all, fmt.Errorf("%s: %w", flag, err))
	}
}

// Check notes a fault unless ok. Its text begins with the flag.
func (f *List) Check(ok bool, format string, args ...any) {
	if !ok {
		f.Note(fmt.Errorf(format, args...))
	}
}

// Note notes an error, unless nil, that names its flag itself.
func (f *List) Note(err error) {
	if err != nil {
		f.all = append(f.all, err)
	}
}

// Addf adds a fault, whose text begins with the flag.
func (f *List) Addf(format string, args ...any) { f.Note(fmt.Errorf(format, args...)) }

// Err is all that was noted, in order; nil when that is nothing.
func (f *List) Err() error { return errors.Join(f.all...) }

// Template parses a flag's template; nil for an empty one.
func (f *List) Template(flag, text string, where template.Where) *template.Template {
	if text == "" {
		return nil
	}
	t, err := template.Parse(text, where)
	f.Add(flag, err)
	return t
}

// Metadata checks that messages have all metadata that a flag's template asks for. scheme is
// that of the protocol's URLs; t may be nil, and so may meta, of a protocol without metadata.
func (f *List) Metadata(flag string, t *template.Template, scheme string, meta *worker.Metadata) {
	if t == nil {
		return
	}
	for _, name := range t.MetaNames() {
		f.Add(flag, meta.Check(scheme, name))
	}
}

// IgnorePrefix is --ignore-prefix, its escapes taken for what they stand for.
func (f *List) IgnorePrefix(text string) []byte {
	prefix, err := selector.Unescape(text)
	f.Add("--ignore-prefix", err)
	return prefix
}

// CheckMaxMessage checks --max-message, in bytes.
func (f *List) CheckMaxMessage(n int64) {
	if n < 1 || n > worker.MaxMessage {
		f.Add("--max-message", fmt.Errorf("%d is not from 1 to %d", n, worker.MaxMessage))
	}
}

// CheckHeartbeat checks --heartbeat.
func (f *List) CheckHeartbeat(d time.Duration) {
	if d < 0 {
		f.Add("--heartbeat", fmt.Errorf("%v is negative", d))
	}
}
