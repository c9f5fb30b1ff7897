package ws

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway/wire"
)

// maxRetryAfter bounds what a server can ask for, so that it fits a duration.
const maxRetryAfter = 100 * 365 * 24 * 60 * 60 // seconds

// badStatus is the fault of an answer other than 101, with what the server says of when or
// where another try may do better.
func badStatus(r *http.Response) *wire.Error {
	code := wire.CloseBadRequest
	if r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden {
		code = wire.CloseBadToken
	}
	text := http.StatusText(r.StatusCode)
	if text != "" {
		text = " " + text
	}
	fault := wire.Errorf(wire.Login, code, "the server answered %d%s, not 101", r.StatusCode, text)
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		fault.Location = r.Header.Get("Location")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		fault.RetryAfter, fault.RetryAt = retryAfter(r.Header)
	}
	return fault
}

// retryAfter reads Retry-After (RFC 9110 10.2.3): a number of seconds, or a date. A date
// counts from the server's own, in case the clocks differ; without that it is given as
// it is.
func retryAfter(h http.Header) (wait time.Duration, at time.Time) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(value, 10, 64); err == nil {
		return max(1, time.Duration(min(n, maxRetryAfter))*time.Second), time.Time{}
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
