package ws

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway/wire"
)

// maxRetryAfter limits Retry-After, in seconds, so that it fits a time.Duration.
const maxRetryAfter = 100 * 365 * 24 * 60 * 60

// badStatus returns the fault of an answer other than 101, with its redirect and Retry-After.
func (c *conn) badStatus(r *http.Response) *wire.Error {
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
	case http.StatusUnauthorized, http.StatusForbidden:
		fault.Detail += "; --ws-header sends credentials, as in --ws-header 'Authorization: Bearer TOKEN'"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		c.redirect(fault, r.Header.Get("Location"))
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		fault.RetryAfter, fault.RetryAt = retryAfter(r.Header)
	}
	return fault
}

// retryAfter parses Retry-After (RFC 9110, section 10.2.3): a number of seconds, or a date. A
// date is relative to the answer's Date, in case the clocks differ; without one, it is returned
// unchanged.
func retryAfter(h http.Header) (wait time.Duration, at time.Time) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
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

// redirect adds to fault where the server redirects us, or why we do not follow.
func (c *conn) redirect(fault *wire.Error, location string) {
	if location == "" {
		return
	}
	to, err := redirected(c.host, c.target, c.p.request.secure, location)
	if err != nil {
		fault.Detail += ", " + err.Error()
		fault.Refused = true
		return
	}
	fault.Redirect = to
}
