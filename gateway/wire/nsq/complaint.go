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

// Reasons are those of wire.Error that only this package has.
var Reasons = reasons()

func reasons() []string {
	list := []string{otherReason}
	for _, code := range codes {
		list = append(list, strings.ToLower(code))
	}
	return list
}

// tlsRequired ends what nsqd's --tls-required answers to a command other than IDENTIFY.
// Its code is E_INVALID, as that of much else.
const tlsRequired = "(TLS required)"

// complaint takes an error frame: a code, a space, and a text for people.
func (c *conn) complaint(said []byte, in *wire.Input) *wire.Error {
	fault := c.errorf(otherReason, "the server says %s", c.quote(said))
	code, text, _ := bytes.Cut(said, []byte(" "))
	known := slices.Index(codes, string(code))
	if known >= 0 {
		fault = c.errorf(strings.ToLower(codes[known]), "the server says %s %s", codes[known], c.quote(text))
	}
	login := c.phase < open
	switch string(code) {
	case codeFinFailed, codeReqFailed, codeTouchFailed:
		// The message has timed out and comes again; the connection goes on.
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
		// The server's bounds of an output buffer may be narrower than the defaults.
		if c.phase == identifying {
			c.p.modest.Store(true)
			if bytes.Contains(text, []byte("heartbeat")) {
				fault.Detail += "; see --heartbeat"
			}
		}
	case codeInvalid:
		if login && bytes.HasSuffix(text, []byte(tlsRequired)) {
			return c.errorf(wire.TLS, "the server takes no clients without TLS; use nsq+tls://")
		}
	}
	return fault
}

// quote is what a server said as it may be logged: as far as it is text, for with a wrong length
// the messages behind it are part of it.
func (c *conn) quote(said []byte) string {
	const most = 128
	if at := bytes.IndexFunc(said, unicode.IsControl); at >= 0 {
		said = said[:at]
	}
	said = c.mask(said)
	return strconv.QuoteToASCII(string(said[:min(len(said), most)]))
}

// mask puts stars where a server repeats the secret, be it as part of the URL that it asked
// its own authority by.
func (c *conn) mask(said []byte) []byte {
	if len(c.token) == 0 {
		return said
	}
	for _, secret := range [][]byte{c.token, []byte(url.QueryEscape(string(c.token)))} {
		said = bytes.ReplaceAll(said, secret, []byte("***"))
	}
	return said
}
