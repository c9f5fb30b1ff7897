// Package faults collects the faults of settings into one error, one line per fault, which begins
// with the flag.
package faults

import (
	"errors"
	"fmt"
	"time"

	"feedgate/worker/selector"

	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// List is a list of faults. The zero value is empty.
type List struct{ all []error }

// Add adds err, unless nil, as a fault of a flag. Its text must not quote the value, which may be
// a secret.
func (f *List) Add(flag string, err error) {
	if err != nil {
		f.all = append(f.all, fmt.Errorf("%s: %w", flag, err))
	}
}

// Check adds a fault unless ok. Its text begins with the flag.
func (f *List) Check(ok bool, format string, args ...any) {
	if !ok {
		f.AddErr(fmt.Errorf(format, args...))
	}
}

// AddErr adds err, unless nil, whose text names its flag itself.
func (f *List) AddErr(err error) {
	if err != nil {
		f.all = append(f.all, err)
	}
}

// Addf adds a fault. Its text begins with the flag.
func (f *List) Addf(format string, args ...any) { f.AddErr(fmt.Errorf(format, args...)) }

// Err returns all faults in order as one error; nil if there are none.
func (f *List) Err() error { return errors.Join(f.all...) }

// Template parses a flag's template; it returns nil for an empty one.
func (f *List) Template(flag, text string, where template.Where) *template.Template {
	if text == "" {
		return nil
	}
	t, err := template.Parse(text, where)
	f.Add(flag, err)
	return t
}

// Metadata checks that the protocol has all metadata that a flag's template uses. scheme is the
// scheme of its URLs. t may be nil; meta is nil for a protocol without metadata.
func (f *List) Metadata(flag string, t *template.Template, scheme string, meta *worker.Metadata) {
	if t == nil {
		return
	}
	for _, name := range t.MetaNames() {
		f.Add(flag, meta.Check(scheme, name))
	}
}

// IgnorePrefix returns the value of --ignore-prefix with its escapes decoded.
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
