// Package post is an example of docs/adding-a-sink.md: a sink that posts messages to a web server,
// as lines, with package kit. It is in no registry.
package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// Kind is post://HOST/PATH.
var Kind = sink.Kind{
	Schemes: []string{"post"},
	Secure:  []string{"post+tls"},
	Form:    "post://HOST/PATH?linger=D",
	Help:    "posts messages as lines",
	Remote:  true,
	Flags:   []any{sink.ServerFlags{}, Flags{}},
	Parse:   parse,
}

// Flags are the flags that only this sink takes.
type Flags struct {
	Type string `name:"post-type" group:"post" placeholder:"TYPE" help:"Content-Type [text/plain]."`
}

// Group implements [flagset.Grouped].
func (Flags) Group() (key, title string) { return "post", "Sink post:" }

// parse parses the URL and reads the flags. It opens nothing.
func parse(u sink.URL, flags *flagset.Flags) (t sink.Target, err error) {
	scheme, port := "http", uint16(80)
	if u.Secure {
		scheme, port = "https", 443
	}
	server, err := u.Server(port, "linger")
	if err != nil {
		return t, err
	}
	own := flagset.Of[Flags](flags)
	if own.Type == "" {
		own.Type = "text/plain"
	}
	var faults []error
	if len(server.Hosts) > 1 {
		faults = append(faults, errors.New("want one host"))
	}
	if strings.ContainsAny(own.Type, "\r\n") {
		faults = append(faults, errors.New("--post-type: a line break has no place in it"))
	}
	linger, err := parseLinger(server.Query["linger"])
	faults = append(faults, err)

	host := server.Hosts[0]
	return sink.Target{
		Hosts:         server.Hosts,
		CheckPassword: checkPassword,
		Open: func(cfg *sink.Config) (*sink.Sink, error) {
			return kit.Open(kit.Config{
				Linger:  linger,
				Connect: func(ctx context.Context) error { return reach(ctx, cfg, host, u.Secure) },
				Open: func(*kit.Sink, int) (kit.Client, error) {
					return newClient(scheme+"://"+host+server.Path, own.Type, cfg), nil
				},
			}, cfg), nil
		},
	}, errors.Join(faults...)
}

func parseLinger(value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("linger=%s is not a duration such as 5ms", value)
	}
	return d, nil
}

// checkPassword must not quote the password.
func checkPassword(password []byte) error {
	if strings.ContainsAny(string(password), "\r\n\x00") {
		return errors.New("a control byte has no place in a header")
	}
	return nil
}

// reach checks that the server can be reached and, with TLS, that it is the right one.
func reach(ctx context.Context, cfg *sink.Config, host string, secure bool) error {
	dial := new(net.Dialer).DialContext
	if secure {
		dial = cfg.TLS.Dial
	}
	conn, err := dial(ctx, "tcp", host)
	if err != nil {
		return err
	}
	return conn.Close()
}

// transport makes connections with the current certificates, which SIGHUP can replace.
func transport(cfg *sink.Config) *http.Transport {
	return &http.Transport{DialTLSContext: cfg.TLS.Dial, MaxIdleConnsPerHost: 1}
}
