// Package wire says what a protocol is to the gateway's loop: bytes and times
// come in, messages, replies and decisions go out. A protocol does no I/O, starts
// no goroutine and reads no clock, so that a test can drive it through any
// schedule. The loop knows none of them by name.
package wire

import (
	"fmt"
	"time"

	"feedgate/worker"
)

// Protocol is a protocol with its settings. It is immutable and may be shared.
type Protocol interface {
	// Traits says what the loop must know before there is a connection.
	Traits() Traits

	// NewConn starts the state of one connection.
	NewConn() Conn

	// Render appends the ack of one message, or nothing where the protocol sends
	// none for that code. It is called on worker goroutines, and on the loop's for a
	// message that is refused there, and only when Traits.RenderAcks is set.
	Render(dst []byte, m worker.Message, code worker.Code) []byte
}

// Complainer is a Protocol that has reasons of Error of its own.
type Complainer interface {
	Reasons() []string
}

// Traits are a protocol's fixed properties.
type Traits struct {
	// Sequenced: sequence numbers identify messages from connection to
	// connection within a session, and rise by one. Otherwise Msg.Seq is the
	// arrival number on the connection, from 1, and nothing is known again.
	Sequenced bool
	// Acks: the protocol, as set up, has a reply for a message.
	Acks bool
	// CumulativeAcks: AppendAckTo is there.
	CumulativeAcks bool
	// RenderAcks: an ack takes bytes from the message, so the worker renders it
	// while it has the message. Otherwise the loop makes acks by AppendAcks.
	RenderAcks bool
	// Overhead is the most bytes that a frame has beside its message.
	Overhead int
	// EOFCloses: end of stream is the protocol's clean close.
	EOFCloses bool
	// Secures: over TLS, the handshake comes not first but behind an EventSecure.
	Secures bool
	// PeerEnds: after the protocol's close, the peer is to close the connection first.
	PeerEnds bool
	// CloseGrace bounds how long work in flight is finished and acked after the peer
	// has said that it sends no more; zero: as long as it takes.
	CloseGrace time.Duration
	// Meta is what the protocol reports about its messages beside their data; nil: nothing.
	// With Meta.Split, the bytes of a Msg are head and message.
	Meta *worker.Metadata
}

// Conn is the protocol state of one connection, owned by the loop. The loop calls
// Open first, then Decode with an empty buffer, then the rest in any order.
// Appending methods append to dst and return it, like append.
type Conn interface {
	// Open appends what the client says first.
	Open(dst []byte, r Resume) []byte

	// Decode takes buf, the received bytes that are not used up, and advances
	// in. It stops when buf holds nothing whole any more, when in.Msgs is full,
	// or behind an event. An error ends the connection; the messages decoded
	// before it stand.
	Decode(buf []byte, in *Input) *Error

	// End is called once the peer's bytes have ended and Decode has taken all it could;
	// whole is false after a reset. buf and in are as for Decode: End may add a last
	// message or an event, if the end of the stream completes one. An error is counted.
	End(buf []byte, in *Input, whole bool) *Error

	// AppendAcks appends the acks of n messages with consecutive sequence
	// numbers, all with one code. A protocol with Traits.RenderAcks is not asked.
	AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte

	// AppendAckTo appends one ack for all messages up to seq.
	AppendAckTo(dst []byte, seq uint64) []byte

	// Tick appends what is due at now, such as a heartbeat, and says when it
	// wants to be called next; zero: it does not matter. now counts from any fixed
	// moment. Decode is called after a Tick that asked for the next, though nothing
	// may have come, for what the passing of time has brought.
	Tick(dst []byte, now time.Duration) (out []byte, next time.Duration)

	// AppendClose appends the protocol's goodbye, or nothing where it has none.
	AppendClose(dst []byte, why worker.Code) []byte
}

// Stopper is a Conn that can ask its peer to send no messages any more, and be answered
// by what becomes an EventClose. The loop asks, once, at the beginning of a drain; what
// comes before the answer is worked on.
type Stopper interface {
	AppendStop(dst []byte) []byte
}

// Resume is what a new connection may take up again.
type Resume struct {
	Session string // empty: none
	Seq     uint64 // last contiguous acknowledged of that session; 0: none
	Client  string // --client-name
	Host    string // HOST:PORT of the upstream URL that is connected
	Token   []byte // secret; nil: none. Kept by nobody but a Conn, not logged.
	Target  string // request target of a redirect; empty: the URL's own
}

// Msg is a framed message, or the refusal of one. Refused, it has data where its ack
// is rendered from them.
type Msg struct {
	Seq  uint64
	Off  uint32 // in buf
	Len  uint32
	Aux  uint8       // the protocol's own note, passed on to Render
	Code worker.Code // not OK: refused here, no worker gets it
}

// EventKind is what happened to the connection as a whole.
type EventKind uint8

// Events.
const (
	EventNone    EventKind = iota
	EventReady             // login is over, messages will come
	EventClose             // the peer said that it sends no more
	EventMessage           // a message that does not lie in the buffer
	EventSecure            // the peer awaits a TLS handshake; nothing received is left
	EventFault             // a fault or a complaint of the peer that does not end the connection
)

// Event is decoded from the stream, in its order.
type Event struct {
	Kind EventKind

	// Of EventReady.
	Session    string // the session's name; empty: none
	First      uint64 // sequence number of the first message
	Each       bool   // the peer takes an ack for each message
	Cumulative bool   // the peer takes cumulative acks

	// Of EventClose.
	Code worker.Code // why
	// Clean says that the close is one that --exit-on-close counts as such.
	Clean bool

	// Of EventFault; and of an EventClose, where there is more to say of it than its code.
	Fault *Error

	// Of EventMessage, which goes with protocols that are not Sequenced. The offset
	// is 0; the bytes are Input.Data.
	Msg Msg
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

// Error is a fault of the peer. Its text names the frame and holds no payload.
type Error struct {
	Reason string      // one of the reasons above
	Code   worker.Code // for the protocol's goodbye
	Detail string

	// When a refused login may be tried again: after a while, or at a time. Zero: the peer
	// did not say.
	RetryAfter time.Duration
	RetryAt    time.Time
	// Location is where the peer redirects the login, in its own words, which may hold
	// secrets. Empty: nowhere.
	Location string
}

func (e *Error) Error() string { return e.Detail + " (" + e.Reason + ")" }

// Errorf makes an Error.
func Errorf(reason string, code worker.Code, format string, args ...any) *Error {
	return &Error{Reason: reason, Code: code, Detail: fmt.Sprintf(format, args...)}
}
