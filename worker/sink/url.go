package sink

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"feedgate/worker/hostport"
)

// URL is a sink's URL, split at the scheme. Its kind chooses the form of the rest: a path with a
// query (method Path), a server (method Server), or any text (Rest).
type URL struct {
	Scheme string
	Secure bool   // the scheme is one of Kind.Secure
	Rest   string // after SCHEME:
}

// Query holds the parameters of a URL, percent escapes decoded.
type Query map[string]string

// literal decodes a path in a URL. In a path, ? is written %3F, as it begins the query, and % is
// written %25 where it would begin one of these escapes. All other bytes need no encoding.
var literal = strings.NewReplacer("%3F", "?", "%3f", "?", "%25", "%")

// Path splits PATH?QUERY. params are the parameters that the query may have, each at most once; any
// other is an error. The path is decoded.
func (u URL) Path(params ...string) (path string, q Query, err error) {
	path, query, asked := strings.Cut(u.Rest, "?")
	if asked {
		q, err = parseQuery(query, params)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w (a ? in a path is written %%3F)", err)
	}
	return literal.Replace(path), q, nil
}

// Server has the parts of //HOST:PORT,HOST:PORT/PATH?QUERY.
type Server struct {
	Hosts []string // HOST:PORT each, at least one
	Path  string   // from the first / on, as written; may be empty
	Query Query
}

// Server splits //HOST:PORT,HOST:PORT/PATH?QUERY. port is the default for hosts without one; 0:
// each must have one. params are the parameters that the query may have, each at most once. A user
// or a password in the URL is an error. An error names all faults; s has what is not at fault, so that
// the caller can look for faults in it, too, unless it has no hosts.
func (u URL) Server(port uint16, params ...string) (s Server, err error) {
	rest, ok := strings.CutPrefix(u.Rest, "//")
	if !ok {
		return s, fmt.Errorf("want // and a host behind %s:", u.Scheme)
	}
	if strings.Contains(rest, "#") {
		return s, errors.New("a # has no meaning here; in a name it is written %23")
	}
	rest, query, asked := strings.Cut(rest, "?")
	var faults []error
	if asked {
		s.Query, err = parseQuery(query, params)
		faults = append(faults, err)
	}
	hosts := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		hosts, s.Path = rest[:i], rest[i:]
	}
	defaultPort := ""
	if port != 0 {
		defaultPort = strconv.Itoa(int(port))
	}
	if strings.Contains(hosts, "@") {
		return Server{}, errors.New("a URL must not contain a user or password: any user of the machine can see it")
	}
	for host := range strings.SplitSeq(hosts, ",") {
		h, err := hostport.Parse(host, defaultPort)
		if err == nil && slices.Contains(s.Hosts, h) {
			err = fmt.Errorf("%s is given twice", h)
		}
		if faults = append(faults, err); err == nil {
			s.Hosts = append(s.Hosts, h)
		}
	}
	return s, errors.Join(faults...)
}

// shown returns what errors may quote of a URL. Of a server's URL that excludes the query, and what
// may be a misplaced password.
func shown(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = "***" + rest[i:]
	}
	return scheme + "://" + rest
}

// parseQuery parses KEY=VALUE&KEY=VALUE. Each key must be one of params, and occur once. A value
// without = is empty. The error names all faults; the query has the other parameters.
func parseQuery(query string, params []string) (Query, error) {
	q := Query{}
	var faults []error
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		_, twice := q[key]
		decoded, err := url.PathUnescape(value) // not QueryUnescape, for which + is a space
		switch {
		case !slices.Contains(params, key):
			err = fmt.Errorf("unknown parameter %q after ?; %s", key, known(params))
		case twice:
			err = fmt.Errorf("%s is given twice", key)
		case err != nil:
			err = fmt.Errorf("%s=%s: a %% begins the two hexadecimal digits of a byte, and itself is written %%25", key, value)
		default:
			q[key] = decoded
		}
		faults = append(faults, err)
	}
	return q, errors.Join(faults...)
}

// known lists the known parameters, for an error.
func known(params []string) string {
	switch len(params) {
	case 0:
		return "there are none"
	case 1:
		return "the only one is " + params[0]
	}
	return "known are " + strings.Join(params, ", ")
}
