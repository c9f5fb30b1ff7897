package ws

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"feedgate/worker/credential"
)

// header is a header of the request.
type header struct{ name, value string }

// reserved are the names that the handshake or HTTP's framing sets, or must not have, with the
// reason. So are all that begin with Sec-WebSocket-.
var reserved = map[string]string{
	"host":                   "is the upstream's address",
	"origin":                 "is set by --ws-origin",
	"sec-websocket-protocol": "is set by --ws-subprotocol",
	"upgrade":                "",
	"connection":             "",
	"proxy-connection":       "",
	"keep-alive":             "",
	"content-length":         "",
	"transfer-encoding":      "",
	"te":                     "",
	"trailer":                "",
	"expect":                 "",
}

var (
	errHeaderShape = errors.New("is not 'Name: value'")
	errHeaderName  = errors.New("its name may only have letters, digits and !#$%&'*+-.^_`|~")
)

// parseHeader parses 'Name: value'. Its errors quote only valid names, because anything else may
// contain a secret.
func parseHeader(line string) (header, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return header{}, errHeaderShape
	}
	if !isToken(name) {
		return header{}, errHeaderName
	}
	lower := strings.ToLower(name)
	why, isReserved := reserved[lower]
	if isReserved || strings.HasPrefix(lower, "sec-websocket-") {
		if why == "" {
			why = "is reserved for the handshake"
		}
		return header{}, fmt.Errorf("%s %s", name, why)
	}
	value = strings.Trim(value, " \t")
	if !isHeaderValue(value) {
		return header{}, fmt.Errorf("the value of %s holds a control character", name)
	}
	return header{name, value}, nil
}

// isHeaderValue reports whether s has no control characters (RFC 9110 5.5).
func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// tokenMark in the value of a header is replaced by the secret.
const tokenMark = "{token}"

func hasTokenHeader(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		_, value, _ := strings.Cut(line, ":")
		return strings.Contains(value, tokenMark)
	})
}

// withToken returns the value with the token. A token that was reread and cannot be in a header
// is left out: a line break in it would begin another header.
func (h header) withToken(token []byte) string {
	if !isHeaderValue(string(token)) {
		token = nil
	}
	return strings.ReplaceAll(h.value, tokenMark, string(token))
}

// isToken reports whether s is a token of RFC 9110 5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
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
		if strings.Contains(h.value, tokenMark) {
			continue
		}
		all = append(all, credential.NewSecret([]byte(h.value)))
		if _, token, ok := strings.Cut(h.value, " "); ok {
			all = append(all, credential.NewSecret([]byte(token)))
		}
	}
	return all
}
