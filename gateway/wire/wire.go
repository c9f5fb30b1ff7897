// Package wire defines what a protocol is to the gateway's loop: bytes and times
// come in, messages, replies and events go out. A protocol does no I/O, starts
// no goroutine and reads no clock, so that a test can drive it through any
// schedule. The loop knows no protocol by name.
//
// A Protocol is its settings; a Codec, what is fixed once they are checked; a Conn, the state
// of one connection. A Scheme is how URLs and flags name a protocol.
package wire

import (
	"fmt"
	"time"

	"feedgate/worker"
)

// Conn is the protocol state of one connection, owned by the loop. The loop calls
// Open first, then Decode with an empty buffer, then the rest in any order.
// Appending methods append to dst and return it, like append. A protocol that lacks one takes
// it from [Base].
type Conn interface {
	// Open appends what the client sends first.
	Open(dst []byte, r Resume) []byte

	// Decode takes buf, the received bytes that are not used up, and advances
	// in. It stops when buf holds nothing whole any more, when in is Full, or behind
	// an event. An error ends the connection; messages decoded before it are processed.
	Decode(buf []byte, in *Input) *Error

	// End is called once the peer's bytes have ended and Decode has taken all it could;
	// whole is false after a reset. buf and in are as for Decode: End may add a last
	// message or an event, if the end of the stream completes one. An error is counted.
	End(buf []byte, in *Input, whole bool) *Error

	// AppendAcks appends the acks of n messages with consecutive sequence
	// numbers, all with one code. Not called with Traits.RenderAcks.
	AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte

	// AppendAckTo appends one ack for all messages up to seq. Only asked with AckRange.
	AppendAckTo(dst []byte, seq uint64) []byte

	// Tick appends what is due at now, such as a heartbeat, and returns when it is to be
	// called next; zero: whenever the loop turns, which it does when something happens. It is
	// also called after EventReady. now counts from any fixed moment. Decode is called after a Tick that asked for the next, though nothing
	// may have come, for what the passing of time has brought.
	Tick(dst []byte, now time.Duration) (out []byte, next time.Duration)

	// AppendClose appends the protocol's goodbye, or nothing where it has none. why is
	// CloseShuttingDown in a drain, CloseOK in answer to the peer's close, else the code of
	// an Error. Nothing follows it.
	AppendClose(dst []byte, why worker.Code) []byte

	// AppendStop asks the peer to send no messages any more, which it answers by what becomes
	// an EventClose. The loop asks, once, at the beginning of a drain; what comes before the
	// answer is processed. Only called with Traits.Stops.
	AppendStop(dst []byte) []byte
}

// Base is embedded by a Conn for what its protocol does not have.
type Base struct{}

// AppendAckTo implements [Conn]: there are no acks for several messages.
func (Base) AppendAckTo(dst []byte, _ uint64) []byte { return dst }

// AppendClose implements [Conn]: the end of the stream is the close.
func (Base) AppendClose(dst []byte, _ worker.Code) []byte { return dst }

// AppendStop implements [Conn]: the peer cannot be asked.
func (Base) AppendStop(dst []byte) []byte { return dst }

// Tick implements [Conn]: nothing depends on the time.
func (Base) Tick(dst []byte, _ time.Duration) ([]byte, time.Duration) { return dst, 0 }

// Resume is what a login sends: who we are, and what the connection may resume.
type Resume struct {
	Session string // empty: none
	Seq     uint64 // last contiguous acknowledged of that session; 0: none
	Client  string // --client-name
	Host    string // HOST:PORT of the upstream URL that is connected
	Token   []byte // secret; nil: none. Kept by nobody but a Conn, not logged.
	Target  string // request target of a redirect; empty: the URL's own
}

// Msg is a framed message, or the refusal of one. Refused, it has data where its ack
// is rendered from them. Input.Bytes finds the data.
type Msg struct {
	Seq  uint64
	Off  uint32 // in buf, or in Input.Own
	Len  uint32
	Aux  uint8       // the protocol's own note, passed on to Render
	Own  bool        // the data is in Input.Own: it does not lie in buf
	Code worker.Code // not OK: refused here, no worker gets it
}

// EventKind is what happened to the connection as a whole.
type EventKind uint8

// Events.
const (
	EventNone     EventKind = iota
	EventReady              // login is over, messages will come
	EventClose              // the peer sends no more: the protocol's close
	EventStartTLS           // the peer awaits a TLS handshake; nothing received is left
	EventFault              // a fault or a complaint of the peer that does not end the connection
)

// Event is decoded from the stream, in its order.
type Event struct {
	Kind EventKind

	// Of EventReady.
	Session    string // the session's name; empty: none
	First      uint64 // with Traits.Sequenced: number of the first message
	Each       bool   // the peer takes an ack for each message
	Cumulative bool   // the peer takes cumulative acks

	// Of EventClose.
	Code worker.Code // why
	// Clean says that the close is one that --exit-on-close counts as such.
	Clean bool

	// Of EventFault; and of an EventClose whose code is not all that there is to log.
	Fault *Error
}

// BOM may come before a JSON text (RFC 8259, section 8.1).
const BOM = "\ufeff"

// Why a connection is closed, as FG/1 numbers it; a protocol with codes of its own
// translates.
const (
	CloseOK            worker.Code = 0
	CloseBadRequest    worker.Code = 2
	CloseBadToken      worker.Code = 4
	CloseProtocolError worker.Code = 5
	CloseShuttingDown  worker.Code = 6
)

// Reasons of protocol errors, as they are counted.
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
	// Internal is a fault of a decoder of ours, not of the peer.
	Internal = "internal"
)

// Reasons are those that every protocol shares. Internal, which should never happen, is
// counted from its first time on only.
func Reasons() []string {
	return []string{
		BadLength, TooLarge, UnknownOp, UnexpectedOp, BadFlags,
		SeqBack, Parts, Truncated, BadJSON, BadUTF8, WS, TLS, Login,
	}
}

// Error is a fault of the peer. Its text names the frame and holds no payload.
type Error struct {
	Reason string      // one of the reasons above
	Code   worker.Code // for our close
	Detail string

	// When a refused login may be tried again: after a while, or at a time. Zero: the peer
	// did not say.
	RetryAfter time.Duration
	RetryAt    time.Time
	// Redirect is where the peer redirects the login; nil: nowhere.
	Redirect *Redirect
	// Refused: the login was refused, rather than the protocol violated. CloseBadToken
	// implies it.
	Refused bool
}

// Redirect is where a login is to be tried instead: the same host, perhaps another port,
// perhaps TLS where there was none.
type Redirect struct {
	HostPort string
	Secure   bool
	Target   string // request target, for Resume; may hold secrets
}

func (e *Error) Error() string { return e.Detail + " (" + e.Reason + ")" }

// Errorf makes an Error.
func Errorf(reason string, code worker.Code, format string, args ...any) *Error {
	return &Error{Reason: reason, Code: code, Detail: fmt.Sprintf(format, args...)}
}
