package wire

import (
	"context"
	"log/slog"
	"time"

	"feedgate/worker/flagset"
)

// Scheme is how users name a protocol: by the scheme of a URL, and by flags. The protocol's
// package exports one; a program lists it in a [Registry] and names it nowhere else.
type Scheme struct {
	// Name and Secure are the URL schemes without and with TLS, without "://". Port and
	// SecurePort are their default ports; empty: a URL must have a port.
	Name, Port         string
	Secure, SecurePort string
	// ALPN are the protocol's names in a TLS handshake (RFC 7301); nil: none.
	ALPN []string

	// Target is the form of what follows the hosts of a URL, such as "/PATH?QUERY"; empty:
	// nothing may follow.
	Target string
	// Examples are URLs with flags, as on a command line, for the help.
	Examples []string

	// Flags are the groups of flags that the protocol takes, each a zero struct value. Protocols
	// with the same flags share one. See [flagset.New].
	Flags []any
	// Parse makes a protocol from the flags and from target, which is what follows the hosts of a
	// URL, including its delimiter. Its error has one line per fault and never quotes the target,
	// which may contain secrets.
	Parse func(target string, flags *flagset.Flags) (Protocol, error)

	// Discovery is for URLs without hosts, whose servers must be found; nil: a URL has hosts.
	Discovery *Discovery

	// Meta are the names of the metadata of messages, as in [worker.Metadata].
	Meta []string
	// Reasons are the values of Error.Reason that only this protocol has.
	Reasons []string
}

// Discovery is how the servers of a URL without hosts are found: by asking a directory.
type Discovery struct {
	Flags  []any  // as in Scheme
	Source string // the kind of directory, for logs and errors: "nsqlookupd"
	Server string // the kind of server: "nsqd"
	// New checks target and flags and makes the Discoverer. Its error has one line per fault.
	New func(target string, flags *flagset.Flags, cfg DiscoveryConfig) (Discoverer, error)
}

// DiscoveryConfig is what a Discoverer needs besides its URL and flags.
type DiscoveryConfig struct {
	Timeout time.Duration // for one request
	Log     *slog.Logger
}

// Discoverer finds the servers of an upstream.
type Discoverer interface {
	// Poll asks the directory once. It calls found, on its own goroutine, with the servers known
	// so far, each HOST:PORT. It logs faults; it returns an error if an answer is missing.
	Poll(ctx context.Context, found func(hosts []string)) error

	// NoServers returns the error text for an upstream without servers. Any goroutine may call
	// it.
	NoServers() string
}

// SchemeName returns Secure or Name.
func (s *Scheme) SchemeName(secure bool) string {
	if secure {
		return s.Secure
	}
	return s.Name
}

func (s *Scheme) defaultPort(secure bool) string {
	if secure {
		return s.SecurePort
	}
	return s.Port
}

// takes reports whether the scheme takes a group of flags: with every URL, or only with a URL
// without hosts.
func (s *Scheme) takes(group any) (always, discovery bool) {
	return flagset.Has(s.Flags, group), s.Discovery != nil && flagset.Has(s.Discovery.Flags, group)
}
