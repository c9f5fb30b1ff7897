package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"feedgate/worker"
	"feedgate/worker/flagset"
)

// Kind is one kind of sink. Its package exports one; a program lists those that it has in
// a [Registry] and names them nowhere else.
type Kind struct {
	// Schemes are what its URLs begin with, without the colon. Secure are those over TLS, of
	// the first of Schemes first.
	Schemes, Secure []string
	// Form is its URL, for errors and the help: "file:PATH".
	Form string
	// Help completes "FORM ..." in one clause, without a period. Details completes it in a
	// sentence of its own, for all kinds that have the same words; it may be empty.
	Help, Details string

	// Workers is the default number of workers; 0: as many as run at once.
	Workers int
	// DeadLetters: it can keep refused messages. It is done with a message only when that
	// is durable.
	DeadLetters bool

	// Flags are structs of the zero value, one for each group of flags that the kind takes:
	// [ServerFlags], if it is a server, and its own. See [flagset.New].
	Flags []any

	// Parse takes a URL apart, without opening anything, and reads the flags of its groups.
	// Its error has a line for each fault: one of a flag begins with its name, others are of
	// the URL, and quote nothing of it that may be secret.
	Parse func(u URL, flags *flagset.Flags) (Target, error)
}

// Target is what a URL names: a sink that is not open yet.
type Target struct {
	// Open opens the sink. The Config has its defaults.
	Open func(cfg *Config) (*Sink, error)
	// Label is the URL without what may be secret, for logs; empty: the URL without its
	// query.
	Label string
	// Hosts are the servers, HOST:PORT each, for a warning if the login is not encrypted.
	Hosts []string
	// CheckPassword finds what is wrong with a password, without quoting it; nil: any will
	// do. It must not keep it.
	CheckPassword func(password []byte) error
	// File is the path of the file that the sink writes, which no other sink may; empty:
	// none.
	File string
	// UsesMeta: the sink asks messages for their ids or their metadata. A program may have
	// protocols leave out what nobody asks for.
	UsesMeta bool

	// Workers is the kind's.
	Workers int

	secure bool   // over TLS
	twin   string // else what the URL with TLS begins with; empty: there is none
}

// Sink is an open sink. What only some can do is a function, which is nil in the others:
// whoever wraps a sink copies the struct and keeps them.
type Sink struct {
	worker.Sink

	// Start starts what that many handlers need, and waits until it runs or ctx ends, so
	// that faults end the process before any connection is made. It is called at most once,
	// before the handlers are opened.
	Start func(ctx context.Context, handlers int) error

	// Reopen opens the sink's file again by its path, after another process has moved it
	// away. Messages being written are finished first. If the path cannot be opened, the
	// error says so and nothing changes. Any goroutine may call it.
	Reopen func() error
}

// ErrURL is in an error when the URL itself or a flag is at fault, which is a usage error,
// rather than what it names.
var ErrURL = errors.New("not a sink")

// Registry is the kinds of sinks that a program has, in the order of its help.
type Registry []Kind

// Kind is the kind of the URL's scheme, or nil.
func (r Registry) Kind(url string) *Kind {
	scheme, _, ok := strings.Cut(url, ":")
	for i := range r {
		if ok && (slices.Contains(r[i].Schemes, scheme) || slices.Contains(r[i].Secure, scheme)) {
			return &r[i]
		}
	}
	return nil
}

// Parse finds the faults of a URL and of the flags that its kind takes, and opens nothing. Its
// error is an [ErrURL], with a line for each fault: it begins with the flag at fault, or with
// the one that the URL came from.
func (r Registry) Parse(flag, url string, flags *flagset.Flags) (Target, error) {
	t, err := r.parse(url, flags)
	if err == nil {
		return t, nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "--") {
			lines[i] = fmt.Sprintf("%s %q: %v: %s", flag, shown(url), ErrURL, line)
		}
	}
	return Target{}, usage(strings.Join(lines, "\n"))
}

// usage is the text of an error that is an ErrURL.
type usage string

func (e usage) Error() string        { return string(e) }
func (e usage) Is(target error) bool { return target == ErrURL }

func (r Registry) parse(url string, flags *flagset.Flags) (Target, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok {
		return Target{}, fmt.Errorf("no colon; known are %s", r.Forms())
	}
	kind := r.Kind(url)
	if kind == nil {
		return Target{}, fmt.Errorf("unknown scheme; known are %s", r.Forms())
	}
	secure := slices.Contains(kind.Secure, scheme)
	t, err := kind.Parse(URL{Scheme: scheme, Rest: rest, Secure: secure}, flags)
	if err != nil {
		return Target{}, err
	}
	t.Workers, t.secure, t.twin = kind.Workers, secure, kind.twin(scheme)
	if t.Label == "" {
		t.Label, _, _ = strings.Cut(shown(url), "?")
	}
	return t, nil
}

// Open opens the sink that url names. Its error names the flag and the fault. The caller
// closes the sink after all pools that use it were stopped.
func (r Registry) Open(url string, cfg Config) (*Sink, error) {
	cfg = cfg.WithDefaults()
	t, err := r.Parse(cfg.Flag, url, cfg.Flags)
	if err != nil {
		return nil, err
	}
	cfg.warnUnencrypted(&t)
	s, err := t.Open(&cfg)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", cfg.Flag, shown(url), err)
	}
	return s, nil
}

// Forms are the URLs of all kinds.
func (r Registry) Forms() string { return r.forms(func(*Kind) bool { return true }) }

// DeadLetterForms are the URLs of the kinds that can keep dead letters.
func (r Registry) DeadLetterForms() string {
	return r.forms(func(k *Kind) bool { return k.DeadLetters })
}

// StreamForms are the URLs of the kinds whose default is one worker.
func (r Registry) StreamForms() string { return r.forms(func(k *Kind) bool { return k.Workers == 1 }) }

func (r Registry) forms(which func(*Kind) bool) string {
	var forms []string
	for i := range r {
		if which(&r[i]) {
			forms = append(forms, r[i].Form)
		}
	}
	return strings.Join(forms, ", ")
}

// Help is a clause for each kind, and a sentence for the details that several share.
func (r Registry) Help() string {
	var clauses, sentences, told []string
	for _, k := range r {
		clauses = append(clauses, k.Form+" "+k.Help)
		if k.Details != "" && !slices.Contains(told, k.Details) {
			told = append(told, k.Details)
			alike := r.forms(func(other *Kind) bool { return other.Details == k.Details })
			sentences = append(sentences, alike+" "+k.Details+".")
		}
	}
	return strings.Join(append([]string{strings.Join(clauses, "; ") + "."}, sentences...), " ")
}
