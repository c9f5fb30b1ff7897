package ws

import (
	"net/http"

	"feedgate/gateway/wire"
	"feedgate/worker/header"
)

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
		fault.RetryAfter, fault.RetryAt = header.RetryAfter(r.Header)
	}
	return fault
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
