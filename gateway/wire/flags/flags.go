// Package flags is what protocols share in taking their settings from a user's flags:
// each is checked, and all that is wrong is said in one error.
package flags

import (
	"errors"
	"fmt"
	"time"

	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// Faults gathers what is wrong with flags. The zero value has none.
type Faults struct{ all []error }

// Add notes an error, unless nil, about a flag. The error must quote no value, for that
// can be a secret.
func (f *Faults) Add(flag string, err error) {
	if err != nil {
		f.all = append(f.all, fmt.Errorf("%s: %w", flag, err))
	}
}

// Err is all that was noted, in order; nil when that is nothing.
func (f *Faults) Err() error { return errors.Join(f.all...) }

// Template parses a flag's template; nil for an empty one.
func (f *Faults) Template(flag, text string, where template.Where) *template.Template {
	if text == "" {
		return nil
	}
	t, err := template.Parse(text, where)
	f.Add(flag, err)
	return t
}

// Metadata checks that messages have all metadata that a flag's template asks for. scheme is
// that of the protocol's URLs; t may be nil, and so may meta, of a protocol without metadata.
func (f *Faults) Metadata(flag string, t *template.Template, scheme string, meta *worker.Metadata) {
	if t == nil {
		return
	}
	for _, name := range t.MetaNames() {
		f.Add(flag, meta.Check(scheme, name))
	}
}

// IgnorePrefix is --ignore-prefix, its escapes taken for what they stand for.
func (f *Faults) IgnorePrefix(text string) []byte {
	prefix, err := worker.Unescape(text)
	f.Add("--ignore-prefix", err)
	return prefix
}

// CheckMaxMessage checks --max-message, in bytes.
func (f *Faults) CheckMaxMessage(n int64) {
	if n < 1 || n > worker.MaxMessage {
		f.Add("--max-message", fmt.Errorf("%d is not from 1 to %d", n, worker.MaxMessage))
	}
}

// CheckHeartbeat checks --heartbeat.
func (f *Faults) CheckHeartbeat(d time.Duration) {
	if d < 0 {
		f.Add("--heartbeat", fmt.Errorf("%v is negative", d))
	}
}
