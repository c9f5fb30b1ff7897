package wire

import (
	"context"
	"log/slog"
	"time"

	"feedgate/worker/flagset"
)

// Scheme is how users name a protocol: by the scheme of a URL, and by flags. Its package
// exports one; a program lists those that it has in a [Registry] and names them nowhere else.
type Scheme struct {
	// Name and Secure are the schemes without and with TLS, without "://". The ports are
	// their defaults; empty: a URL must have one.
	Name, Port         string
	Secure, SecurePort string
	// ALPN is what the protocol is called in a TLS handshake (RFC 7301); nil: nothing.
	ALPN []string

	// Target is what follows the hosts of a URL, "/PATH?QUERY"; empty: nothing may.
	Target string
	// Examples are the URL and the flags of a command line each, for the help.
	Examples []string

	// Flags are structs of the zero value, one for each group of flags that the protocol
	// takes; protocols that take the same flags share one. See [flagset.New].
	Flags []any
	// Parse makes a protocol of what follows the hosts, with its delimiter, and of the flags.
	// Its error has a line for each fault and quotes nothing of the target, which may hold
	// secrets.
	Parse func(target string, flags *flagset.Flags) (Protocol, error)

	// Discovery is for a URL without hosts, whose servers are to be found; nil: a URL has hosts.
	Discovery *Discovery

	// Meta is the names of the metadata that messages have, as in [worker.Metadata].
	Meta []string
	// Reasons are those of Error that only this protocol has.
	Reasons []string
}

// Discovery is how the servers of a URL without hosts are found.
type Discovery struct {
	Flags  []any  // as in Scheme
	Source string // what is asked, in logs and errors: "nsqlookupd"
	Server string // what is found: "nsqd"
	// New checks target and flags, and makes the finder. Its error has a line for each fault.
	New func(target string, flags *flagset.Flags, cfg DiscoveryConfig) (Discoverer, error)
}

// DiscoveryConfig is what a finder has beyond its URL and flags.
type DiscoveryConfig struct {
	Timeout time.Duration // of one request
	Log     *slog.Logger
}

// Discoverer finds servers.
type Discoverer interface {
	// Poll asks once and calls found, from its goroutine, with the servers, HOST:PORT each,
	// that are known so far. It logs its faults; its error is not nil if an answer is missing.
	Poll(ctx context.Context, found func(hosts []string)) error

	// NoServers says that there is no server, and of what. Any goroutine may ask.
	NoServers() string
}

// SchemeName is Name, or with TLS Secure.
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

// takes reports whether the scheme has a group of flags, and whether it takes them whatever
// its URL, or only for one without hosts.
func (s *Scheme) takes(group any) (always, finding bool) {
	return flagset.Has(s.Flags, group), s.Discovery != nil && flagset.Has(s.Discovery.Flags, group)
}
