package admin

import (
	"strconv"
	"strings"
)

// Label is what of an upstream's URL may be shown in metrics and logs: all but
// user information, query and fragment, any of which may hold a secret. The URL
// need not be valid; a list of hosts, HOST:PORT,HOST:PORT, is not to net/url.
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
	return scheme + "://" + hosts + path
}

// labels are the labels of all upstreams. Two gateways may share what Label
// leaves of their URLs; from the second on they are told apart by #2 and so on,
// in their order, since a series must be one gateway's.
func labels(upstreams []Upstream) []string {
	all := make([]string, len(upstreams))
	times := make(map[string]int)
	for i, upstream := range upstreams {
		label := Label(upstream.URL)
		times[label]++
		all[i] = label
		if n := times[label]; n > 1 {
			all[i] += "#" + strconv.Itoa(n)
		}
	}
	return all
}
