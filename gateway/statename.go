package gateway

import (
	"slices"
	"strings"
)

// stateName is the name of an upstream in the state file. Its text is the URL with the port of each
// host.
type stateName struct {
	scheme string
	hosts  []string // HOST:PORT
	target string   // the part after the hosts: path, topic, filters
}

// stateName returns the name of the upstream.
func (c *Config) stateName() stateName {
	n := parseStateName(c.URL)
	n.hosts = nil
	for _, host := range c.Hosts {
		n.hosts = append(n.hosts, strings.ToLower(host))
	}
	return n
}

// parseStateName parses the text of a stateName. Hosts are case-insensitive (RFC 3986, section 3.2.2).
func parseStateName(text string) (n stateName) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return stateName{scheme, strings.Split(strings.ToLower(rest[:end]), ","), rest[end:]}
}

func (n stateName) String() string {
	return n.scheme + "://" + strings.Join(n.hosts, ",") + n.target
}

// commonHosts returns how many hosts two names share; 0 if scheme or target differ: then they name
// different feeds.
func (n stateName) commonHosts(m stateName) (hosts int) {
	if n.scheme != m.scheme || n.target != m.target {
		return 0
	}
	for i, host := range n.hosts {
		if slices.Contains(m.hosts, host) && !slices.Contains(n.hosts[:i], host) {
			hosts++
		}
	}
	return hosts
}

// SameSession reports whether both upstreams could resume the same session of a [State]: their URLs
// differ only in the hosts, and they share one.
func SameSession(a, b Config) bool { return a.stateName().commonHosts(b.stateName()) > 0 }
