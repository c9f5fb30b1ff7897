package ws

import (
	"errors"
	"slices"
	"strings"

	"feedgate/worker/credential"
	"feedgate/worker/header"
)

// reservedFor returns why a name, in lower case, must not be set, because the handshake or HTTP's
// framing sets it or must not have it; "": it may be.
func reservedFor(name string) string {
	switch {
	case name == "host":
		return "is the upstream's address"
	case name == "origin":
		return "is set by --ws-origin"
	case name == "sec-websocket-protocol":
		return "is set by --ws-subprotocol"
	case slices.Contains(header.Framing, name), strings.HasPrefix(name, "sec-websocket-"):
		return "is reserved for the handshake"
	}
	return ""
}

func isVisible(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// checkPath checks a request target (RFC 6455 3: no fragment). It may contain a secret.
func checkPath(s string) error {
	switch {
	case s[0] != '/':
		return errors.New("the path does not begin with /")
	case !isVisible(s):
		return errors.New("the path has a byte that is not visible ASCII; write it as %HH")
	case strings.Contains(s, "#"):
		return errors.New("the path has a #; write it as %23")
	}
	return nil
}

// hasToken reports whether one of the comma-separated lists has the token, ignoring ASCII case.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if equalFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// equalFold compares ignoring ASCII case. strings.EqualFold would take a Kelvin sign for a k.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// secrets returns the values of headers that must not be logged, and for credentials (RFC 9110,
// section 11.4) what follows the scheme. The token is masked elsewhere.
func (r *request) secrets() (all []*credential.Secret) {
	for _, h := range r.headers {
		if h.HasToken() {
			continue
		}
		all = append(all, credential.NewSecret([]byte(h.Value)))
		if _, token, ok := strings.Cut(h.Value, " "); ok {
			all = append(all, credential.NewSecret([]byte(token)))
		}
	}
	return all
}
