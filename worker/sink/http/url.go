package httpsink

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"feedgate/worker/sink"
)

const (
	defaultBatch = 1000
	maxBatch     = 100_000
)

// target is a URL.
type target struct {
	address string   // HOST:PORT to connect to
	post    *url.URL // of the requests, without our parameters; read-only
	secure  bool

	format format
	batch  int
	linger time.Duration
}

// parseURL parses //HOST/PATH?QUERY. Parameters that are not ours are the server's: they stay in
// the URL of the requests, as written.
func parseURL(u sink.URL) (t target, err error) {
	rest, query, _ := strings.Cut(u.Rest, "?")
	scheme, port := "http", uint16(80)
	if u.Secure {
		scheme, port = "https", 443
	}
	t = target{secure: u.Secure, format: ndjson, batch: defaultBatch}
	query, faults := t.parseQuery(query)

	u.Rest = rest
	server, err := u.Server(port)
	if err != nil {
		return t, errors.Join(append([]error{err}, faults...)...)
	}
	if len(server.Hosts) > 1 {
		faults = append(faults, errors.New("want one host; a name may have several addresses"))
	}
	t.address = server.Hosts[0]
	path := server.Path
	if path == "" {
		path = "/"
	}
	t.post, err = url.ParseRequestURI(path)
	if err != nil || !isVisible(path) || !isVisible(query) {
		faults = append(faults, errors.New("the path or the query has a byte that must be written as %HH"))
		return t, errors.Join(faults...)
	}
	t.post.Scheme, t.post.Host, t.post.RawQuery = scheme, authority(t.address, port), query
	return t, errors.Join(faults...)
}

// parseQuery reads our parameters, and returns the others, as written.
func (t *target) parseQuery(query string) (others string, faults []error) {
	if strings.Contains(query, "#") {
		faults = append(faults, errors.New("a # has no meaning here; in a parameter it is written %23"))
	}
	fields := map[string]func(string) error{"format": t.setFormat, "batch": t.setBatch, "linger": t.setLinger}
	given := map[string]bool{}
	var left []string
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		set := fields[key]
		switch {
		case set == nil:
			left = append(left, pair)
		case given[key]:
			faults = append(faults, fmt.Errorf("%s is given twice", key))
		default:
			if err := set(value); err != nil {
				faults = append(faults, err)
			}
		}
		given[key] = true
	}
	return strings.Join(left, "&"), faults
}

func (t *target) setFormat(name string) error {
	f, ok := formats[name]
	if !ok {
		return fmt.Errorf("format=%s is not ndjson, json or length", name)
	}
	t.format = f
	return nil
}

func (t *target) setBatch(value string) (err error) {
	if t.batch, err = strconv.Atoi(value); err != nil || t.batch < 1 || t.batch > maxBatch {
		return fmt.Errorf("batch=%s is not a number from 1 to %d", value, maxBatch)
	}
	return nil
}

func (t *target) setLinger(value string) (err error) {
	if t.linger, err = time.ParseDuration(value); err != nil || t.linger < 0 {
		return fmt.Errorf("linger=%s is not a duration such as 5ms", value)
	}
	return nil
}

// authority returns HOST:PORT for the Host header: without the default port, and without the zone of
// an address, which has no meaning elsewhere (RFC 6874, section 4).
func authority(hostport string, defaultPort uint16) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport
	}
	if strings.Contains(host, ":") {
		host, _, _ = strings.Cut(host, "%")
		host = "[" + host + "]"
	}
	if port == strconv.Itoa(int(defaultPort)) {
		return host
	}
	return host + ":" + port
}

// isVisible reports whether s has visible ASCII characters only.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}
