package gateway

import "strings"

// Label returns the part of an upstream's URL that may be shown in metrics, logs and errors: it has
// no user information, query or fragment, which may contain secrets. The scheme is in lower case. The
// URL need not be valid: net/url rejects a list of hosts.
func Label(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "", url
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	hosts, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		hosts, path = rest[:slash], rest[slash:]
	}
	hosts = hosts[strings.LastIndexByte(hosts, '@')+1:]
	if !found {
		return hosts + path
	}
	return strings.ToLower(scheme) + "://" + hosts + path
}
