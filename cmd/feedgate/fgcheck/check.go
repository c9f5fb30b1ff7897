// Package fgcheck tests FG/1 servers: it is a client that logs in, acknowledges messages, cuts
// connections and sends bad frames, and reports which rules of the protocol the server keeps.
//
// It uses the frame layout of package fg1, and none of the gateway's logic. Both rest on the
// protocol's description alone, and the client must do what a gateway never does.
//
// Every message that it receives may be acknowledged: it is for test servers.
//
// Memory is constant, whatever the server sends: of payloads only WELCOME's is kept, of messages
// the first numbers. Every wait ends after Config.Timeout, even if the server sends without end.
package fgcheck

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
	"unicode/utf8"
)

// Config configures a test. A zero field means its default.
type Config struct {
	Address    string        // HOST:PORT
	TLS        *tls.Config   // nil: without TLS. Its default for ServerName is the host
	Token      []byte        // the server's token; empty: none
	Client     string        // client name in HELLO; default feedgate-check
	Timeout    time.Duration // limit for each answer of the server; default 5s
	MaxMessage int64         // longest message, in bytes; default 1 MiB
	Messages   int           // limit of messages to acknowledge while waiting for the end of the session; default 10000
}

var (
	// ErrBroken is returned by [Run] if the server breaks a rule.
	ErrBroken = errors.New("the server breaks FG/1")
	// ErrUntested is returned by [Run] if the server could not be tested to the end, and no rule was
	// seen to be broken.
	ErrUntested = errors.New("the server could not be tested")
)

// Run tests the server and writes a line for each rule to w. Its error is, or wraps, [ErrBroken],
// [ErrUntested], the error of ctx, or that of w. Nothing is written if the server cannot be
// tested at all.
func Run(ctx context.Context, cfg Config, w io.Writer) error {
	host, _, err := net.SplitHostPort(cfg.Address)
	if err != nil {
		return untested("%q is not HOST:PORT", cfg.Address)
	}
	if len(cfg.Token) == 0 {
		cfg.Token = nil
	}
	if !utf8.Valid(cfg.Token) {
		return untested("--token-file: the secret is not UTF-8, which FG/1 sends as JSON")
	}
	cfg.Client = cmp.Or(cfg.Client, "feedgate-check")
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.MaxMessage = cmp.Or(cfg.MaxMessage, 1<<20)
	cfg.Messages = cmp.Or(cfg.Messages, 10_000)
	if cfg.TLS != nil {
		cfg.TLS = cfg.TLS.Clone()
		cfg.TLS.ServerName = cmp.Or(cfg.TLS.ServerName, host)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, totalWait*cfg.Timeout, untested("the check takes longer than %v", totalWait*cfg.Timeout))
	defer cancel()
	k := &checker{ctx: ctx, cfg: cfg, window: wanted, doing: ping}
	k.report = newReport(func() bool { return ctx.Err() != nil })

	failed := k.run()
	if ctx.Err() != nil {
		failed = context.Cause(ctx)
	}
	if failed != nil && k.report.found[login].verdict == unseen && k.report.count(broken) == 0 {
		return failed
	}
	if failed != nil {
		k.report.skipRest(fmt.Sprintf("the check ended early, after %s", k.doing))
	}
	if err := k.report.write(w); err != nil {
		return err
	}
	if k.forgets {
		if _, err := fmt.Fprintln(w, forgetful); err != nil {
			return err
		}
	}
	switch n := k.report.count(broken); {
	case n == 0 || ctx.Err() != nil:
		return failed
	case failed != nil:
		return fmt.Errorf("%w: %s: rules broken: %d, and: %v", ErrBroken, cfg.Address, n, failed)
	default:
		return fmt.Errorf("%w: %s: rules broken: %d", ErrBroken, cfg.Address, n)
	}
}

// totalWait limits the whole check, in multiples of Config.Timeout.
const totalWait = 24

// forgetful is the last line about a server that may be as it should, and leaves most of the check out.
const forgetful = "warning: the server names its sessions and resumed none, so acks and resuming are not tested; after a lost connection, gateways process again what it sends again"

// checker tests one server. The goroutine of [Run] owns it.
type checker struct {
	ctx    context.Context
	cfg    Config
	report *report

	// window is how many unacknowledged messages to wait for: [wanted], or fewer once the server
	// has sent no more within Config.Timeout.
	window int

	session string // the tested session's name; empty: the server gives none, or does not resume it
	base    uint64 // its first message that is not done
	top     uint64 // the last message received in it, of the first ones of each connection
	each    bool   // the server offers ACK
	ranges  bool   // the server offers ACKTO

	// endsEarly: the server sends BYE before its messages are acknowledged. Then it can neither answer
	// a PING nor refuse a frame.
	endsEarly bool

	forgets bool   // the server named the session, and did not resume it
	doing   rule   // tested now, or last: if the server hangs, this is why
	sent    uint64 // the last message of the session that any connection has received

	pings uint64 // sent, of all connections
}

// run runs all steps. Its error is a step that could not be done.
func (k *checker) run() error {
	c, err := k.begin()
	if c == nil || err != nil {
		k.report.skipRest("the login failed")
		return err
	}
	if err := k.resuming(c); err != nil {
		return fmt.Errorf("%w, while testing acks and resuming", err)
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"the token", k.wrongToken},
		{"an unknown session", k.unknownSession},
		{"bad frames", k.badFrames},
		{"an ack of the next message", k.nextUnsent},
		{"the end of the session", k.serverBye},
	} {
		if err := step.run(); err != nil {
			return fmt.Errorf("%w, while testing %s", err, step.name)
		}
	}
	return nil
}

// untested makes an error of a step that could not be done.
func untested(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUntested, fmt.Errorf(format, args...))
}
