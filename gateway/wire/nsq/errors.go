package nsq

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"feedgate/gateway/wire"
)

// Codes of errors that nsqd can answer a consumer with.
const (
	codeInvalid        = "E_INVALID"
	codeBadProtocol    = "E_BAD_PROTOCOL"
	codeBadBody        = "E_BAD_BODY"
	codeBadTopic       = "E_BAD_TOPIC"
	codeBadChannel     = "E_BAD_CHANNEL"
	codeIdentifyFailed = "E_IDENTIFY_FAILED"
	codeAuthFirst      = "E_AUTH_FIRST"
	codeAuthFailed     = "E_AUTH_FAILED"
	codeAuthError      = "E_AUTH_ERROR"
	codeAuthDisabled   = "E_AUTH_DISABLED"
	codeUnauthorized   = "E_UNAUTHORIZED"
	codeSubFailed      = "E_SUB_FAILED"
	codeFinFailed      = "E_FIN_FAILED"
	codeReqFailed      = "E_REQ_FAILED"
	codeTouchFailed    = "E_TOUCH_FAILED"
)

var codes = []string{
	codeInvalid, codeBadProtocol, codeBadBody, codeBadTopic, codeBadChannel, codeIdentifyFailed,
	codeAuthFirst, codeAuthFailed, codeAuthError, codeAuthDisabled, codeUnauthorized, codeSubFailed,
	codeFinFailed, codeReqFailed, codeTouchFailed,
}

// otherReason is the reason of an error with a code that is not among codes.
const otherReason = "nsq"

// Reasons are the values of wire.Error.Reason that only this package has.
var Reasons = reasons()

func reasons() []string {
	list := []string{otherReason}
	for _, code := range codes {
		list = append(list, strings.ToLower(code))
	}
	return list
}

// tlsRequired is the suffix of an nsqd's error with --tls-required, in answer to a command other
// than IDENTIFY. Its code, E_INVALID, has many other causes.
const tlsRequired = "(TLS required)"

// errorFrame handles an error frame: a code, a space, and a text for people.
func (c *conn) errorFrame(body []byte, in *wire.Input) *wire.Error {
	fault := c.errorf(otherReason, "server error %s", c.quote(body))
	code, text, _ := bytes.Cut(body, []byte(" "))
	known := slices.Index(codes, string(code))
	if known >= 0 {
		fault = c.errorf(strings.ToLower(codes[known]), "server error %s %s", codes[known], c.quote(text))
	}
	login := c.phase < open
	switch string(code) {
	case codeFinFailed, codeReqFailed, codeTouchFailed:
		// The message has timed out and is redelivered; the connection continues.
		in.Event = wire.Event{Kind: wire.EventFault, Fault: fault}
		return nil
	case codeAuthFailed, codeUnauthorized:
		if login {
			c.phase = closed
			fault.Detail += "; see --token-file"
			in.Event = wire.Event{Kind: wire.EventClose, Code: wire.CloseBadToken, Fault: fault}
			return nil
		}
	case codeBadBody:
		// The server's limits for output buffers may be lower than the defaults.
		if c.phase == identifying {
			c.p.plainIdentify.Store(true)
			if bytes.Contains(text, []byte("heartbeat")) {
				fault.Detail += "; see --heartbeat"
			}
		}
	case codeInvalid:
		if login && bytes.HasSuffix(text, []byte(tlsRequired)) {
			return c.errorf(wire.TLS, "the server accepts only clients with TLS; use nsq+tls://")
		}
	}
	return fault
}

// quote formats a server's text for the log. It ends at the first control byte, because with a
// wrong length the messages after it would be part of it.
func (c *conn) quote(body []byte) string {
	const most = 128
	if at := bytes.IndexFunc(body, unicode.IsControl); at >= 0 {
		body = body[:at]
	}
	body = c.mask(body)
	return strconv.QuoteToASCII(string(body[:min(len(body), most)]))
}

// mask replaces the secret by stars where a server repeats it, also as part of the URL at which
// the server checked it.
func (c *conn) mask(body []byte) []byte {
	if len(c.token) == 0 {
		return body
	}
	for _, secret := range [][]byte{c.token, []byte(url.QueryEscape(string(c.token)))} {
		body = bytes.ReplaceAll(body, secret, []byte("***"))
	}
	return body
}
