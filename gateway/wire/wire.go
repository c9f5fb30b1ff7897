// Package wire is the interface between the gateway and its protocols.
//
// A protocol is a decoder and an encoder. It is given received bytes and the time, and returns
// messages, events and bytes to send. It opens no socket, starts no goroutine and reads no
// clock; the gateway's loop does that. So a test can drive a protocol through any schedule, and
// the loop knows no protocol by name.
//
// # Parts of a protocol
//
//   - A [Scheme] names the protocol in URLs, flags and help texts. A program lists its schemes
//     in a [Registry].
//   - A [Protocol] holds the settings that only this protocol has, such as a topic.
//   - A [Codec] is a protocol whose settings have been checked: [Traits], its fixed properties,
//     and a function that makes a Conn.
//   - A [Conn] is the state of one connection. It embeds [Base] for the methods that most
//     protocols do not need.
//
// # Life of a connection
//
// The loop connects, sends what AppendHello returns, and calls Decode with an [Input] whenever
// bytes have arrived. An [EventReady] ends the login. From then on Decode returns messages, and
// the loop calls AppendAcks when acks are due and Tick when a time is reached. The connection
// ends in one of four ways: the peer closes it ([EventClose]), the stream ends (End), Decode
// returns an [Error], or the gateway drains. The loop finishes and acknowledges what the workers
// have and then sends what AppendClose returns.
//
// # Goroutines
//
// One goroutine at a time calls the methods of a Conn: the loop's, or, with Traits.StartTLS, the
// dialing one until the TLS handshake. Codec.Render is the exception; see Traits.RenderAcks.
//
// docs/adding-a-protocol.md is the guide, package toy its example, package wiretest the test kit.
package wire

import (
	"time"

	"feedgate/worker"
)

// Conn is the protocol state of one connection. The loop calls AppendHello, then Decode with an
// empty buffer, then any method in any order. A method that appends to dst returns the extended
// slice, like append.
type Conn interface {
	// AppendHello appends the first bytes that the client sends.
	AppendHello(dst []byte, h Hello) []byte

	// Decode decodes buf, the received bytes that have not been used up, and advances in. It
	// stops when buf holds no further complete frame, when in is full, or after an event. An
	// error ends the connection; the messages decoded before it are processed.
	Decode(buf []byte, in *Input) *Error

	// End is called once, after the stream has ended and Decode has made its last progress.
	// clean is false if the connection was reset. buf and in are as for Decode. End may add a
	// last message or an event that the end of the stream completes. An error is counted.
	End(buf []byte, in *Input, clean bool) *Error

	// AppendAcks appends the acks of n messages with consecutive numbers, from seq on, that
	// share one outcome. It is not called with Traits.RenderAcks.
	AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte

	// AppendAckTo appends one ack for all messages up to seq. It is called only with AckRange.
	AppendAckTo(dst []byte, seq uint64) []byte

	// Tick appends what is due at now, such as a heartbeat, and returns the time at which to
	// call it next. 0 means whenever the loop runs anyway, which it does when something
	// happens. now counts from an arbitrary fixed moment. Tick is also called after EventReady.
	// After a Tick that returned a time, Decode is called even if no bytes have arrived, so
	// that it can report timeouts.
	Tick(dst []byte, now time.Duration) (out []byte, next time.Duration)

	// AppendClose appends the protocol's close, or nothing if it has none. Nothing is sent
	// after it. why is CloseShuttingDown in a drain, CloseOK in answer to the peer's close, and
	// otherwise the code of the Error that ends the connection.
	AppendClose(dst []byte, why CloseCode) []byte

	// AppendStop asks the peer to send no more messages. The peer's answer becomes an
	// EventClose; messages before it are processed. AppendStop is called once, when a drain
	// begins, and only with Traits.CanStop.
	AppendStop(dst []byte) []byte
}

// SetAcker is a Conn that appends acks of messages whose numbers are not consecutive in one call. It is
// for protocols whose acks are so short that a call for each few of them takes longer than they do.
type SetAcker interface {
	// AppendAckSet appends the acks of some of 64 messages, all with code OK: of message seq+i for each
	// bit i of set. It may be called instead of AppendAcks.
	AppendAckSet(dst []byte, seq, set uint64) []byte
}

// Base has the methods of a Conn for what its protocol lacks. Embed it.
type Base struct{}

// AppendAckTo implements [Conn] for a protocol without cumulative acks.
func (Base) AppendAckTo(dst []byte, _ uint64) []byte { return dst }

// AppendClose implements [Conn] for a protocol that closes by ending the stream.
func (Base) AppendClose(dst []byte, _ CloseCode) []byte { return dst }

// AppendStop implements [Conn] for a protocol in which the peer cannot be asked to stop.
func (Base) AppendStop(dst []byte) []byte { return dst }

// Tick implements [Conn] for a protocol without timers.
func (Base) Tick(dst []byte, _ time.Duration) ([]byte, time.Duration) { return dst, 0 }

// Hello is what the first bytes of a connection may contain: who we are, and the session to
// resume.
type Hello struct {
	Session string // empty: none
	Seq     uint64 // last contiguous acknowledged number of that session; 0: none
	Client  string // --client-name
	Host    string // HOST:PORT of the URL that was dialed
	Token   []byte // login secret; nil: none. Only the Conn may keep it. It must not be logged.
	Target  string // request target of a redirect; empty: the URL's own

	// Probe means that the connection only finds out whether the login succeeds: on EventReady it is
	// closed, and Input.Out is not sent. The Conn then leaves out of the login what makes the server
	// send messages, or count this client among those that share them. Session is empty.
	Probe bool
}

// Msg is a decoded message, or the refusal of one. Input.Bytes returns its data. A refusal has
// data only where the ack is rendered from it.
type Msg struct {
	Seq  uint64
	Off  uint32 // start of the data in buf, or in Input.Side
	Len  uint32
	Tag  uint8       // free for the protocol to use; handed to Codec.Render and Metadata
	Side bool        // the data is in Input.Side, not in buf
	Code worker.Code // other than OK: the message is refused and reaches no worker
}

// EventKind is the kind of an [Event].
type EventKind uint8

// Events.
const (
	EventNone     EventKind = iota
	EventReady              // the login has succeeded; messages may follow
	EventClose              // the protocol's close: the peer sends no more messages
	EventStartTLS           // the peer awaits a TLS handshake; all received bytes are decoded
	EventFault              // a fault, or an error that the peer reports; the connection continues
)

// Event is a change of the connection as a whole. It has its place in the stream, as messages do.
type Event struct {
	Kind EventKind

	// For EventReady.
	Session    string // name of the session; empty: none
	First      uint64 // number of the first message, with Traits.Sequenced
	Each       bool   // the peer accepts an ack per message
	Cumulative bool   // the peer accepts cumulative acks

	// For EventClose.
	Code  CloseCode // reason, as the peer numbers it
	Clean bool      // --exit-on-close counts it as a clean close

	// Fault is what to log for EventFault, and for an EventClose that has more to log than
	// its code; else nil.
	Fault *Error
}

// BOM may precede a JSON text (RFC 8259, section 8.1).
const BOM = "\ufeff"
