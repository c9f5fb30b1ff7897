package nsqlookup

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"feedgate/gateway/wire/faults"
)

// lookupPath is the path of the lookup at an nsqlookupd.
const lookupPath = "/lookup"

// parseAddrs parses the addresses, each HOST:PORT of the HTTP side, or an http:// or https://
// URL. Its error has one line per fault.
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

// quote names an address; one that may contain a secret, by its position only.
func quote(addr string, i int) string {
	if strings.ContainsAny(addr, "@?#") {
		return "address " + strconv.Itoa(i+1)
	}
	return strconv.Quote(addr)
}

// parseAddr makes the URL of the lookup from an address.
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
