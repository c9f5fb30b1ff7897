// Package hostport parses the HOST:PORT of a server in URLs.
package hostport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Parse parses HOST:PORT, or HOST alone if there is a default port; "" is none. HOST is a name, an
// IPv4 address, or an IPv6 address in brackets. It returns HOST:PORT as package net takes it. The
// error quotes text.
func Parse(text, defaultPort string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil && defaultPort != "" {
		host, port, err = net.SplitHostPort(text + ":" + defaultPort)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is not %s", text, form(defaultPort))
	case host == "":
		return "", fmt.Errorf("%q has no host", text)
	case strings.HasPrefix(text, "["):
		if host, err = parseIPv6(host); err != nil {
			return "", fmt.Errorf("%q: %w", text, err)
		}
	case strings.ContainsFunc(host, foreign):
		return "", fmt.Errorf("%q: a host name has no white space, quotes or other punctuation than - _ and dots", text)
	}
	if !ValidPort(port) {
		return "", fmt.Errorf("port %q of %q is not 1 to 65535", port, text)
	}
	return net.JoinHostPort(host, port), nil
}

// form returns what Parse takes.
func form(defaultPort string) string {
	if defaultPort == "" {
		return "HOST:PORT"
	}
	return "HOST or HOST:PORT"
}

// foreign reports whether a host name cannot have a character. Names in other scripts are left to
// the resolver.
func foreign(c rune) bool {
	return c < 0x80 && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c))
}

// ValidPort reports whether port is a number from 1 to 65535.
func ValidPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// parseIPv6 parses the text between the brackets of an IPv6 address. Its zone follows "%25" (RFC
// 6874, section 2) or, as people write it, "%".
func parseIPv6(host string) (string, error) {
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
