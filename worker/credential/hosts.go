package credential

import (
	"net"
	"strings"
)

// LeaveHost reports whether any of hosts, HOST:PORT each, may be another machine: it is neither
// localhost nor a loopback address.
func LeaveHost(hosts []string) bool {
	for _, hostport := range hosts {
		host, _, err := net.SplitHostPort(hostport)
		if err != nil {
			return true
		}
		address, _, _ := strings.Cut(host, "%")
		if ip := net.ParseIP(address); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}
