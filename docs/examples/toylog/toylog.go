// Package toylog is an example of docs/adding-a-sink.md: a sink for a toy log server, with batches
// over TCP, an answer per message, several hosts, a login, TLS and a flag of its own. It is in no
// registry.
//
// # Protocol
//
// The client sends a line, and the server answers with one:
//
//	HELLO STREAM USER PASSWORD     both empty if there are none
//	OK | DENIED text | BUSY seconds
//
// Then the client sends batches. All numbers have 32 bits, big-endian:
//
//	count, then for each message: key length, key, length, bytes
//
// The server answers each message with one byte, in order: 0, stored; 1, not now; 2, never. It may
// store a message after it has answered an earlier one with 1. Once the client has closed a
// connection, the server stores nothing more from it.
//
// # Order
//
// With key=SELECTOR, or else under --dispatch key, the messages of a key are in order. A batch has
// at most one message of a key, because the server may store the second although it has not stored
// the first. Without keys, the messages of each worker are in order, and are sent one by one.
package toylog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"feedgate/worker/flagset"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// Kind is toylog://HOST:PORT[,HOST:PORT]/STREAM?batch=N&key=SELECTOR.
var Kind = sink.Kind{
	Schemes:     []string{"toylog"},
	Secure:      []string{"toylog+tls"},
	Form:        "toylog://HOST:PORT/STREAM",
	Help:        "sends messages to a log server, ?batch=N at once [500] if ?key=SELECTOR or --key selects the key",
	DeadLetters: true,
	Flags:       []any{sink.ServerFlags{}, Flags{}},
	Parse:       parse,
}

// Flags are the flags that only this sink takes.
type Flags struct {
	Timeout time.Duration `name:"toylog-timeout" group:"toylog" placeholder:"D" help:"Limit for one answer [5s]."`
}

// Group implements [flagset.Grouped].
func (Flags) Group() (key, title string) { return "toylog", "Sink toylog:" }

const (
	defaultBatch   = 500
	maxBatch       = 10_000 // the answers fit the socket's buffers; see [client.exchange]
	defaultTimeout = 5 * time.Second
)

// parse parses the URL and reads the flags. It opens nothing.
func parse(u sink.URL, flags *flagset.Flags) (t sink.Target, err error) {
	server, err := u.Server(0, "batch", "key")
	if err != nil {
		return t, err
	}
	stream := strings.TrimPrefix(server.Path, "/")
	batch, batchErr := parseBatch(server.Query["batch"])
	key, keyErr := parseKey(server.Query["key"])
	timeout, timeoutErr := flagset.Of[Flags](flags).timeout()
	faults := []error{batchErr, keyErr, timeoutErr}
	if stream == "" || checkField(stream) != nil {
		faults = append(faults, errors.New("want a stream, as in toylog://a:1/orders"))
	}
	if err := checkField(flagset.Of[sink.ServerFlags](flags).User); err != nil {
		faults = append(faults, fmt.Errorf("--sink-user: %w", err))
	}
	return sink.Target{
		Hosts:         server.Hosts,
		CheckPassword: func(password []byte) error { return checkField(string(password)) },
		UsesMeta:      key != nil && key.NeedsMeta(), // for meta:NAME
		Open: func(cfg *sink.Config) (*sink.Sink, error) {
			by := key
			if by == nil {
				by = cfg.Key
			}
			servers := newServers(server.Hosts, stream, u.Secure, timeout, cfg)
			return kit.Open(kit.Config{
				MaxMessages: batch,
				MaxPerKey:   1,
				Key:         by,
				Connect:     servers.reach,
				Open: func(s *kit.Sink, worker int) (kit.Client, error) {
					return newClient(s, worker, servers, by), nil
				},
			}, cfg), nil
		},
	}, errors.Join(faults...)
}

func (f Flags) timeout() (time.Duration, error) {
	if f.Timeout < 0 {
		return 0, fmt.Errorf("--toylog-timeout: %v is negative", f.Timeout)
	}
	if f.Timeout == 0 {
		return defaultTimeout, nil
	}
	return f.Timeout, nil
}

func parseBatch(value string) (int, error) {
	if value == "" {
		return defaultBatch, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxBatch {
		return 0, fmt.Errorf("batch=%s is not a number from 1 to %d", value, maxBatch)
	}
	return n, nil
}

// parseKey returns nil if there is no key.
func parseKey(value string) (*selector.Selector, error) {
	if value == "" {
		return nil, nil
	}
	key, err := selector.Parse(value)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return &key, nil
}

// checkField checks that s can be a field of the line HELLO. The error must not quote it.
func checkField(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F }) {
		return errors.New("a space or a control byte has no place in a login")
	}
	return nil
}

// reach is for [kit.Config].Connect: it checks that a server accepts the login. Each worker makes
// its own connection later.
func (s *servers) reach(ctx context.Context) error {
	c, err := s.login(ctx)
	if err != nil {
		return err
	}
	return c.Close()
}
