// Package header has what users and servers write in the headers of HTTP messages: 'Name: value' of
// a flag, with {token} for a secret, and Retry-After.
package header

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Header is a header of a request.
type Header struct{ Name, Value string }

// Framing are the names, in lower case, that HTTP itself sets or must not have (RFC 9110 and 9112).
var Framing = []string{
	"host", "upgrade", "connection", "proxy-connection", "keep-alive", "content-length", "transfer-encoding", "te",
	"trailer", "expect",
}

var (
	errShape = errors.New("is not 'Name: value'")
	errName  = errors.New("its name may only have letters, digits and !#$%&'*+-.^_`|~")
)

// Parse parses 'Name: value'. reserved returns why a name, in lower case, must not be used, as the
// end of a sentence that begins with it; "": it may be. Errors quote only valid names, because
// anything else may contain a secret.
func Parse(line string, reserved func(lower string) string) (Header, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return Header{}, errShape
	}
	if !IsToken(name) {
		return Header{}, errName
	}
	if why := reserved(strings.ToLower(name)); why != "" {
		return Header{}, fmt.Errorf("%s %s", name, why)
	}
	value = strings.Trim(value, " \t")
	if !IsValue(value) {
		return Header{}, fmt.Errorf("the value of %s holds a control character", name)
	}
	return Header{name, value}, nil
}

// ParseAll parses the values of a flag that may be repeated. Its error has a line for each fault,
// which begins with the flag.
func ParseAll(flag string, lines []string, reserved func(lower string) string) (all []Header, err error) {
	var faults []error
	for i, line := range lines {
		h, err := Parse(line, reserved)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: header %d: %w", flag, i+1, err))
		}
		all = append(all, h)
	}
	return all, errors.Join(faults...)
}

// Mark in the value of a header is replaced by the secret.
const Mark = "{token}"

// HasToken reports whether the value has the mark.
func (h Header) HasToken() bool { return strings.Contains(h.Value, Mark) }

// WithToken returns the value with the token. A token that was reread and cannot be in a header is
// left out: a line break in it would begin another header.
func (h Header) WithToken(token []byte) string {
	if !IsValue(string(token)) {
		token = nil
	}
	return strings.ReplaceAll(h.Value, Mark, string(token))
}

// AnyToken reports whether one of the headers has the mark.
func AnyToken(all []Header) bool { return slices.ContainsFunc(all, Header.HasToken) }

// IsValue reports whether s has no control characters (RFC 9110 5.5).
func IsValue(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// IsToken reports whether s is a token of RFC 9110 5.6.2.
func IsToken(s string) bool {
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

// MaxRetryAfter limits Retry-After, in seconds, so that it fits a time.Duration.
const MaxRetryAfter = 100 * 365 * 24 * 60 * 60

// RetryAfter parses Retry-After (RFC 9110, section 10.2.3): a number of seconds, or a date. A date
// is relative to the answer's Date, in case the clocks differ; without one, it is returned
// unchanged. Without Retry-After, both results are zero.
func RetryAfter(h http.Header) (wait time.Duration, at time.Time) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return max(1, time.Duration(min(n, MaxRetryAfter))*time.Second), time.Time{}
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, time.Time{}
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0, at
	}
	return max(1, at.Sub(date)), time.Time{}
}
