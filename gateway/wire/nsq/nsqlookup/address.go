package nsqlookup

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"feedgate/gateway/wire/faults"
)

// lookupPath is where an nsqlookupd answers.
const lookupPath = "/lookup"

// parseAddrs returns every fault of the addresses in one error, a line each. They are
// HOST:PORT of the HTTP side, or http:// and https:// URLs.
func parseAddrs(addrs []string) ([]*url.URL, error) {
	var all []*url.URL
	var faults faults.List
	for i, addr := range addrs {
		u, ok := parseAddr(addr)
		if !ok {
			faults.Addf("--nsqlookupd: %s is not HOST:PORT, nor an http:// or https:// URL", quote(addr, i))
			continue
		}
		all = append(all, u)
	}
	return all, faults.Err()
}

// quote names an address; one that may hold a secret by its place only.
func quote(addr string, i int) string {
	if strings.ContainsAny(addr, "@?#") {
		return "address " + strconv.Itoa(i+1)
	}
	return strconv.Quote(addr)
}

// parseAddr makes a URL of an address, its path that of the lookup.
func parseAddr(addr string) (u *url.URL, ok bool) {
	bare := !strings.Contains(addr, "://")
	if bare {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return nil, false
	}
	if bare && u.Host != strings.TrimPrefix(addr, "http://") {
		return nil, false
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err == nil {
		n, parseErr := strconv.ParseUint(port, 10, 16)
		if parseErr != nil || n == 0 {
			return nil, false
		}
	} else if bare || strings.HasSuffix(u.Host, ":") {
		return nil, false
	}
	if !strings.HasSuffix(u.Path, lookupPath) {
		u = u.JoinPath(lookupPath)
	}
	return u, true
}
