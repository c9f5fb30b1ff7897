// Package httpsink is the sink http://, which posts messages to a web server, many in a request.
//
// A batch is done when the server answers its POST with 2xx. docs/sinks.md has the contract:
// the effect of each answer, the order, and how a server can recognize a batch that is sent again.
//
// # Goroutines and memory
//
// Each worker has a client with connections of its own, and one request at a time. The transport
// reads the body in a goroutine of its own, perhaps after the answer: see [content]. Messages are
// copied once, into the transport's write buffer of 64 KiB.
package httpsink

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// Kind is http://HOST/PATH?format=ndjson|json|length&batch=N.
var Kind = sink.Kind{
	Schemes: []string{"http"},
	Secure:  []string{"https"},
	Form:    "http://HOST/PATH",
	Help: "posts up to ?batch=N [1000] at once to a web server, as ?format=ndjson [the default], json or length " +
		"(other parameters are the server's)",
	Remote: true,
	Flags:  []any{sink.ServerFlags{}, Flags{}},
	Parse:  parse,
}

// Flags are the flags that only this sink takes.
type Flags struct {
	// Headers are additional headers of each request, "Name: value". {token} is the password.
	Headers []string `name:"sink-header" group:"sink-http" sep:"none" placeholder:"'NAME: VALUE'" help:"Sent with each POST; {token} is the password. May be repeated."`
}

// Group implements [flagset.Grouped].
func (Flags) Group() (key, title string) { return "sink-http", "Sink http:" }

// settings are those of a sink, from its URL and its flags.
type settings struct {
	target
	login
	run    string        // tells the batches of this process from those of others
	answer time.Duration // how long to wait for the server; see answerTimeout

	silence time.Duration // see conn
}

// parse parses the URL and reads the flags. It opens nothing.
func parse(u sink.URL, flags *flagset.Flags) (sink.Target, error) {
	at, urlFault := parseURL(u)
	in, loginFault := parseLogin(flags)
	if err := errors.Join(urlFault, loginFault); err != nil {
		return sink.Target{}, err
	}
	return sink.Target{
		Hosts:         []string{at.address},
		CheckPassword: checkPassword,
		Probe:         at.probe,
		Open: func(cfg *sink.Config) (*sink.Sink, error) {
			return open(&settings{target: at, login: in, run: rand.Text(), answer: answerTimeout, silence: silence}, cfg), nil
		},
	}, nil
}

func open(set *settings, cfg *sink.Config) *sink.Sink {
	return kit.Open(kit.Config{
		MaxMessages: set.batch,
		MaxBytes:    set.format.maxBytes(set.batch),
		Linger:      set.linger,
		// Without keys, the kit sends one batch of a worker at a time, and keeps the order of all.
		Connect: func(ctx context.Context) error { return set.reach(ctx, cfg) },
		Open: func(k *kit.Sink, worker int) (kit.Client, error) {
			return newClient(set, cfg, k, worker), nil
		},
	}, cfg)
}

// silence is how long a new connection waits for what a server sends too early: many times what such a
// server needs that is near, and little beside the time that a connection takes.
const silence = time.Millisecond

// answerTimeout is how long a server may take nothing of a request, or not answer it. It is longer than the
// limits of common proxies and load balancers, 60 s: a request that is abandoned earlier may still be stored,
// and is stored again.
const answerTimeout = 2 * time.Minute
