package wire

import (
	"fmt"
	"time"
)

// CloseCode is the reason for which a connection is closed. The numbers are those of FG/1; a
// protocol with its own codes translates them.
type CloseCode uint16

// Close codes.
const (
	CloseOK            CloseCode = 0
	CloseBadRequest    CloseCode = 2
	CloseTooLarge      CloseCode = 3
	CloseBadToken      CloseCode = 4
	CloseProtocolError CloseCode = 5
	CloseShuttingDown  CloseCode = 6
)

// Reasons of errors, as counted in feedgate_protocol_errors_total.
const (
	BadLength    = "bad_length"
	TooLarge     = "too_large"
	UnknownOp    = "unknown_op"
	UnexpectedOp = "unexpected_op"
	BadFlags     = "bad_flags"
	SeqBack      = "seq_back"
	Parts        = "parts"
	Truncated    = "truncated"
	BadJSON      = "bad_json"
	BadUTF8      = "bad_utf8"
	WS           = "ws"
	TLS          = "tls"
	Login        = "login"
	// Internal is a bug in our decoder, not a fault of the peer.
	Internal = "internal"
)

// Reasons returns the reasons that all protocols share. Internal is left out: it should never
// occur, so it is exported only once it has.
func Reasons() []string {
	return []string{
		BadLength, TooLarge, UnknownOp, UnexpectedOp, BadFlags,
		SeqBack, Parts, Truncated, BadJSON, BadUTF8, WS, TLS, Login,
	}
}

// Error is a fault of the peer. Its text names the frame and quotes no payload.
type Error struct {
	Reason string    // one of the reasons above, or of Scheme.Reasons
	Code   CloseCode // for AppendClose
	Detail string    // text

	// Refused means that the login was refused, rather than the protocol violated.
	// CloseBadToken implies it.
	Refused bool
	// When a refused login may be retried: after RetryAfter, or at RetryAt. Both are zero if
	// the peer did not specify it.
	RetryAfter time.Duration
	RetryAt    time.Time
	// Redirect is where the peer redirects the login; nil: nowhere.
	Redirect *Redirect
}

// Redirect is where to retry a login: the same host, perhaps another port, perhaps with TLS.
type Redirect struct {
	HostPort string
	Secure   bool   // over TLS
	Target   string // for Hello.Target; may contain secrets
}

func (e *Error) Error() string { return e.Detail + " (" + e.Reason + ")" }

// Errorf makes an Error whose Detail is formatted.
func Errorf(reason string, code CloseCode, format string, args ...any) *Error {
	return &Error{Reason: reason, Code: code, Detail: fmt.Sprintf(format, args...)}
}
