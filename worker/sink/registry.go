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

// Kind is one kind of sink. Its package exports one, by convention as Kind; a program lists it in a
// [Registry] and names it nowhere else.
type Kind struct {
	// Schemes are the schemes of its URLs, without the colon. Secure are those over TLS, in
	// the same order.
	Schemes, Secure []string
	// Form is the form of its URLs, for errors and the help: "file:PATH". If it has // behind
	// the scheme, errors about the scheme have it, too.
	Form string
	// Help continues "FORM" with one clause, without a period: "appends each message to PATH".
	// Details continues it with a second sentence; kinds with equal Details share it. It may be
	// empty.
	Help, Details string

	// Workers is the default of --workers: 1 for a sink that writes one stream; 0: GOMAXPROCS.
	Workers int
	// Remote: what a handler has taken is with a disk, a reader or a server, rather than being
	// processed. So when messages wait, they wait for the sink, not for the workers.
	Remote bool
	// DeadLetters: --dead-letter may name it. Its messages must be durable when they are done.
	DeadLetters bool

	// Flags are its groups of flags, as structs of the zero value: [ServerFlags] if it is a
	// server, and its own. See [flagset.New].
	Flags []any

	// Parse takes a URL apart and reads the flags of the kind's groups. It opens nothing,
	// because it is called several times. Its error has a line for each fault. A line about a
	// flag begins with the flag; any other is about the URL, and must not quote what may be
	// secret.
	Parse func(u URL, flags *flagset.Flags) (Target, error)
}

// Target is a sink that is not open yet, as a URL describes it.
type Target struct {
	// Open opens the sink. The Config has its defaults.
	Open func(cfg *Config) (*Sink, error)
	// Probe finds out whether the sink can take messages, as far as that is possible without writing
	// one: it changes nothing, starts nothing and opens no file for writing. found describes that
	// for people; an error says what is wrong, with the flag that may help if that is another than
	// the URL's. It returns soon after ctx ends. Nil: nothing can be found out.
	Probe func(ctx context.Context, cfg *Config) (found string, err error)
	// Label is the URL for logs, without what may be secret. Empty: the URL without its query.
	Label string
	// Hosts are the servers, HOST:PORT each. If the login would leave this machine unencrypted,
	// [Registry.Open] logs a warning.
	Hosts []string
	// CheckPassword returns what is wrong with a password. It must neither quote nor keep it.
	// Nil: any password is possible.
	CheckPassword func(password []byte) error
	// File is the path of the file that the sink writes, and no other sink may; empty: none.
	File string
	// UsesMeta: the sink uses IDs or metadata of messages. If no sink does, protocols may leave
	// them out.
	UsesMeta bool
	// Meta lists the metadata that the sink uses by name, such as in a template of its URL. A
	// protocol without it is a usage error.
	Meta []string

	// Workers is that of the Kind. [Registry.Parse] sets it.
	Workers int

	secure bool   // over TLS
	twin   string // the beginning of the same URL with TLS; empty: none
}

// Sink is an open sink. The functions are nil in sinks that cannot do it. A program that wraps a
// sink copies the struct, and so keeps them.
type Sink struct {
	worker.Sink

	// Start prepares the sink for this many handlers, such as by connecting, and waits until
	// that is done or ctx ends. An error ends the process before a gateway connects. It is
	// called at most once, before the first handler is opened.
	Start func(ctx context.Context, handlers int) error

	// Reopen opens the sink's file again by its path, after another process has renamed it.
	// What is being written is written first. On an error nothing changes. Any goroutine may
	// call it.
	Reopen func() error

	// Stats are its measurements, and Remote is that of its Kind. [Registry.Open] sets both.
	Stats  *Stats
	Remote bool
}

// ErrURL marks an error about the URL itself or a flag, a usage error, as opposed to one about the
// file or server that the URL names.
var ErrURL = errors.New("not a sink")

// Registry lists the kinds of sinks that a program has, in the order of its help.
type Registry []Kind

// Kind returns the kind with the URL's scheme, or nil.
func (r Registry) Kind(url string) *Kind {
	scheme, _, ok := strings.Cut(url, ":")
	for i := range r {
		if ok && (slices.Contains(r[i].Schemes, scheme) || slices.Contains(r[i].Secure, scheme)) {
			return &r[i]
		}
	}
	return nil
}

// Parse checks a URL, which was the value of flag, and the flags of its kind. It opens nothing. Its
// error is an [ErrURL] with a line for each fault. A line begins with the flag at fault, which may
// be the one with the URL.
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

// usage is the text of an ErrURL.
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

// Open opens a sink. Its error begins with the flag at fault. The caller closes the sink after the
// gateways that use it have ended.
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
	s.Stats, s.Remote = cfg.Stats, r.Kind(url).Remote
	return s, nil
}

// Probe is Probe of the target of a URL. found is empty if nothing can be found out.
func (r Registry) Probe(ctx context.Context, url string, cfg Config) (found string, err error) {
	cfg = cfg.WithDefaults()
	t, err := r.Parse(cfg.Flag, url, cfg.Flags)
	if err != nil || t.Probe == nil {
		return "", err
	}
	return t.Probe(ctx, &cfg)
}

// Forms returns the forms of the URLs of all kinds, separated by commas.
func (r Registry) Forms() string { return r.forms(func(*Kind) bool { return true }) }

// DeadLetterForms is Forms of the kinds that can keep dead letters.
func (r Registry) DeadLetterForms() string {
	return r.forms(func(k *Kind) bool { return k.DeadLetters })
}

// StreamForms is Forms of the kinds whose default is one worker.
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

// Help returns the help on sinks: a clause for each kind, then a sentence for each of their
// Details.
func (r Registry) Help() string {
	var clauses, sentences, seen []string
	for _, k := range r {
		clauses = append(clauses, k.Form+" "+k.Help)
		if k.Details != "" && !slices.Contains(seen, k.Details) {
			seen = append(seen, k.Details)
			alike := r.forms(func(other *Kind) bool { return other.Details == k.Details })
			sentences = append(sentences, alike+" "+k.Details+".")
		}
	}
	return strings.Join(append([]string{strings.Join(clauses, "; ") + "."}, sentences...), " ")
}
