package gateway

import (
	"slices"
	"strings"
)

// stateName is what an upstream goes by in the state file. Its text is the URL, with each
// host's port.
type stateName struct {
	scheme string
	hosts  []string // HOST:PORT
	target string   // what follows the hosts: path, topic, filters
}

// stateName is the upstream's.
func (c *Config) stateName() stateName {
	n := parseStateName(c.URL)
	n.hosts = nil
	for _, host := range c.Hosts {
		n.hosts = append(n.hosts, strings.ToLower(host))
	}
	return n
}

// parseStateName parses the text of one. Hosts are names without case (RFC 3986, section
// 3.2.2).
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

// commonHosts is how many hosts two names share, of which one may be the other's with another
// list of hosts; 0: they are of different feeds.
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

// SameSession says whether both upstreams could find one session in a [State]: scheme and
// what follows the hosts are the same, and they share a host.
func SameSession(a, b Config) bool { return a.stateName().commonHosts(b.stateName()) > 0 }
