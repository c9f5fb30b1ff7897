package wire

import (
	"fmt"
	"strings"

	"feedgate/worker/flagset"
	"feedgate/worker/hostport"
)

// Registry lists the protocols of a program, in the order of its help.
type Registry []*Scheme

// Upstream is what a URL and the flags describe: servers and a protocol.
type Upstream struct {
	URL    string // with its scheme in lower case
	Scheme *Scheme
	Secure bool     // over TLS
	Hosts  []string // HOST:PORT, in the order in which they are tried; none: see Discover
	Target string   // what follows the hosts, including its delimiter

	Protocol Protocol
	// Discover makes the Discoverer of a URL without hosts; nil: there are Hosts.
	Discover func(DiscoveryConfig) (Discoverer, error)
}

// Parse parses SCHEME://HOST:PORT[,HOST:PORT...] and whatever the scheme allows after the hosts.
// Its errors quote only the part at fault, because a URL may contain secrets. The Upstream has
// its Scheme even with an error, if the scheme is known.
func (r Registry) Parse(text string, flags *flagset.Flags) (u Upstream, err error) {
	name, rest, ok := strings.Cut(text, "://")
	if !ok {
		return u, fmt.Errorf("upstream URL: no scheme; expected SCHEME://HOST:PORT, such as %s://localhost:7000", r[0].Name)
	}
	if u.Scheme, u.Secure, err = r.find(name); err != nil {
		return u, err
	}
	u.URL = u.Scheme.SchemeName(u.Secure) + "://" + rest
	hosts := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		hosts, u.Target = rest[:i], rest[i:]
	}
	if u.Hosts, err = u.parseHosts(hosts); err != nil {
		return u, err
	}
	if len(u.Hosts) == 0 {
		u.Discover = func(cfg DiscoveryConfig) (Discoverer, error) { return u.Scheme.Discovery.New(u.Target, flags, cfg) }
	}
	u.Protocol, err = u.Scheme.Parse(u.Target, flags)
	return u, err
}

// Forms returns the forms of URLs, for the help.
func (r Registry) Forms() string {
	var plain []string
	for _, s := range r {
		name := s.Name
		if s.Target != "" {
			name += " (HOST:PORT" + s.Target + ")"
		}
		plain = append(plain, name)
	}
	return "SCHEME://HOST:PORT[,HOST:PORT...], SCHEME " + strings.Join(plain, ", ") +
		", with TLS " + strings.Join(r.SecureNames(), ", ")
}

// MetaNames returns the metadata of each scheme, for the help.
func (r Registry) MetaNames() string {
	var all []string
	for _, s := range r {
		if len(s.Meta) > 0 {
			all = append(all, s.Name+" "+strings.Join(s.Meta, ", "))
		}
	}
	return strings.Join(all, "; ")
}

// SecureNames returns the URL schemes with TLS.
func (r Registry) SecureNames() (names []string) {
	for _, s := range r {
		names = append(names, s.Secure)
	}
	return names
}

// find finds a scheme regardless of case (RFC 3986, section 3.1).
func (r Registry) find(name string) (s *Scheme, secure bool, err error) {
	var names []string
	for _, s := range r {
		for _, secure := range []bool{false, true} {
			if strings.EqualFold(s.SchemeName(secure), name) {
				return s, secure, nil
			}
			names = append(names, s.SchemeName(secure))
		}
	}
	return nil, false, fmt.Errorf("upstream URL: scheme %q is not one of %s", name, strings.Join(names, ", "))
}

func (u *Upstream) parseHosts(list string) (hosts []string, err error) {
	name := u.Scheme.SchemeName(u.Secure)
	odd := ""
	switch {
	case u.Target != "" && u.Scheme.Target == "":
		odd = u.Target[:1]
	case strings.Contains(list, "@"):
		odd = "@"
	case list == "" && u.Scheme.Discovery != nil:
		return nil, nil
	}
	if odd != "" {
		return nil, fmt.Errorf("upstream URL: %s:// takes HOST:PORT only, without %q", name, odd)
	}
	if strings.ContainsAny(list, " \t\r\n") {
		return nil, fmt.Errorf("upstream URL: white space among the hosts; write HOST:PORT,HOST:PORT")
	}
	for host := range strings.SplitSeq(list, ",") {
		if host, err = hostport.Parse(host, u.Scheme.defaultPort(u.Secure)); err != nil {
			return nil, fmt.Errorf("upstream URL: %w", err)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}
