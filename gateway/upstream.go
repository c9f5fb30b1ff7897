package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// upstream is a parsed upstream URL.
type upstream struct {
	scheme string // in lower case
	kind   string // protocol: fg, tcp, ws, nsq
	tls    bool
	hosts  []string // HOST:PORT, in the order in which they are tried
	port   string   // the scheme's default; empty: there is none
	target string   // of ws: path and query

	topic, channel string // of nsq
}

// scheme is what a URL's scheme stands for.
type scheme struct {
	name, kind string
	tls        bool
	port       string // default; empty: there is none
}

var schemes = []scheme{
	{name: "fg", kind: "fg"}, {name: "fg+tls", kind: "fg", tls: true},
	{name: "tcp", kind: "tcp"}, {name: "tcp+tls", kind: "tcp", tls: true},
	{name: "ws", kind: "ws", port: "80"}, {name: "wss", kind: "ws", tls: true, port: "443"},
	{name: "nsq", kind: "nsq"}, {name: "nsq+tls", kind: "nsq", tls: true},
}

// findScheme finds a scheme in any case (RFC 3986, section 3.1).
func findScheme(name string) (scheme, error) {
	name = strings.ToLower(name)
	i := slices.IndexFunc(schemes, func(s scheme) bool { return s.name == name })
	if i >= 0 {
		return schemes[i], nil
	}
	var names []string
	for _, s := range schemes {
		names = append(names, s.name)
	}
	return scheme{}, fmt.Errorf("upstream URL: scheme %q is not one of %s", name, strings.Join(names, ", "))
}

// parseURL parses SCHEME://HOST:PORT[,HOST:PORT...], for ws with a path and a query, for
// nsq with topic and channel.
// Its errors quote only the part at fault, for a URL can hold secrets.
func parseURL(s string) (upstream, error) {
	name, rest, ok := strings.Cut(s, "://")
	if !ok {
		return upstream{}, fmt.Errorf("upstream URL: no scheme; expected SCHEME://HOST:PORT, such as fg://localhost:4150")
	}
	is, err := findScheme(name)
	if err != nil {
		return upstream{}, err
	}
	u := upstream{scheme: is.name, kind: is.kind, tls: is.tls, port: is.port}
	barred := "/?#@"
	switch is.kind {
	case "ws":
		rest, u.target, err = cutTarget(rest)
		barred = "#@"
	case "nsq":
		rest, u.topic, u.channel, err = cutTopic(rest)
	}
	if err != nil {
		return u, err
	}
	if i := strings.IndexAny(rest, barred); i >= 0 {
		return u, fmt.Errorf("upstream URL: %s:// takes HOST:PORT only, without %q", is.name, rest[i:i+1])
	}
	if strings.ContainsAny(rest, " \t\r\n") {
		return u, fmt.Errorf("upstream URL: white space among the hosts; write HOST:PORT,HOST:PORT")
	}
	for _, hostport := range strings.Split(rest, ",") {
		if hostport, err = checkHost(hostport, is.port); err != nil {
			return u, err
		}
		u.hosts = append(u.hosts, hostport)
	}
	return u, nil
}

// cutTarget takes path and query, the request target of RFC 9112, section 3.2.1, off
// the hosts.
func cutTarget(rest string) (hosts, target string, err error) {
	i := strings.IndexAny(rest, "/?#")
	if i < 0 {
		return rest, "/", nil
	}
	hosts, target = rest[:i], rest[i:]
	if strings.Contains(target, "#") {
		return "", "", fmt.Errorf("upstream URL: a fragment, \"#\", has no meaning")
	}
	if target[0] == '?' {
		target = "/" + target
	}
	parsed, err := url.ParseRequestURI(target)
	if err != nil {
		return "", "", fmt.Errorf("upstream URL: the path or the query is not well-formed")
	}
	return hosts, parsed.RequestURI(), nil
}

// cutTopic takes topic and channel, "/TOPIC/CHANNEL", off the hosts. The # of names that
// end in #ephemeral may stand as it is.
func cutTopic(rest string) (hosts, topic, channel string, err error) {
	hosts, path, _ := strings.Cut(rest, "/")
	names := strings.Split(path, "/")
	if len(names) != 2 || names[0] == "" || names[1] == "" {
		return "", "", "", fmt.Errorf("upstream URL: want nsq://HOST:PORT/TOPIC/CHANNEL")
	}
	if hosts == "" {
		return "", "", "", fmt.Errorf("upstream URL: no host; nsq:///TOPIC/CHANNEL goes with --nsqlookupd")
	}
	for i := range names {
		if names[i], err = url.PathUnescape(names[i]); err != nil {
			return "", "", "", fmt.Errorf("upstream URL: topic or channel is not well-formed")
		}
	}
	return hosts, names[0], names[1], nil
}

func checkHost(hostport, defaultPort string) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil && defaultPort != "" {
		host, port, err = net.SplitHostPort(hostport + ":" + defaultPort)
	}
	if err != nil {
		return "", fmt.Errorf("upstream URL: %q is not HOST:PORT", hostport)
	}
	if host == "" {
		return "", fmt.Errorf("upstream URL: %q has no host", hostport)
	}
	if strings.HasPrefix(hostport, "[") {
		if host, err = checkIPv6(host); err != nil {
			return "", fmt.Errorf("upstream URL: %q: %w", hostport, err)
		}
	}
	if !validPort(port) {
		return "", fmt.Errorf("upstream URL: port %q of %q is not 1 to 65535", port, hostport)
	}
	return net.JoinHostPort(host, port), nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// secureScheme is the scheme that carries the same protocol over TLS.
func (u upstream) secureScheme() string {
	i := slices.IndexFunc(schemes, func(s scheme) bool { return s.kind == u.kind && s.tls })
	return schemes[i].name
}

// checkIPv6 reads what stands between the brackets of an IPv6 address. Its zone follows
// "%25" (RFC 6874, section 2), or, as people write it, "%".
func checkIPv6(host string) (string, error) {
	addr, zone, zoned := strings.Cut(host, "%")
	if rest, escaped := strings.CutPrefix(zone, "25"); escaped {
		var err error
		if zone, err = url.PathUnescape(rest); err != nil {
			return "", errors.New("the zone is not well-formed; write [fe80::1%25eth0]:PORT")
		}
	}
	if zoned {
		addr += "%" + zone
	}
	if parsed, err := netip.ParseAddr(addr); err != nil || parsed.Is4() || zoned && parsed.Is4In6() {
		return "", errors.New("not an IPv6 address, as in [2001:db8::1]:PORT or [fe80::1%25eth0]:PORT")
	}
	return addr, nil
}

// alpn is what the protocol is called in a TLS handshake.
func (u upstream) alpn() []string {
	if u.kind == "ws" {
		return []string{"http/1.1"}
	}
	return nil
}
