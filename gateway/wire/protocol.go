package wire

import (
	"fmt"
	"strings"
	"time"

	"feedgate/gateway/internal/pool"

	"feedgate/worker"
	"feedgate/worker/credential"
)

// Protocol is a protocol with the settings that only it has, such as a topic or a framing. A
// program sets its fields; the command line makes it from a URL and flags, see [Scheme]. It is
// immutable and may be shared.
type Protocol interface {
	// Scheme returns how users name the protocol.
	Scheme() *Scheme

	// Defaults sets the zero fields of s for which this protocol has a default of its own.
	Defaults(s *Settings)

	// New checks the settings and makes the codec. Its error has one line per fault, which begins
	// with the flag.
	New(s Settings) (*Codec, error)
}

// Settings are the settings of the gateway that protocols depend on. In Defaults, the user has
// not set a field that is zero; in New, all fields are filled in.
type Settings struct {
	Secure      bool // over TLS
	Workers     int
	ByKey       bool  // --dispatch key
	Ring        int   // entries of each worker's ring
	MaxMessage  int64 // bytes
	InFlight    int   // messages
	Memory      int64 // bytes
	RetryMin    time.Duration
	Heartbeat   time.Duration
	IdleTimeout time.Duration // NoTimeout: off
	ExitOnClose bool
	// Heads is set if metadata is used, so that messages need their heads; see Traits.Meta.
	Heads bool

	// Token is the current login secret, for New to check and not to keep; nil: none.
	Token []byte

	// Credit returns the part of InFlight that this gateway may use now, at least 1, if several
	// gateways share it; nil: all of it. Only the loop's goroutine may call it.
	Credit func() int
}

// NoTimeout turns IdleTimeout off. A zero field means the default.
const NoTimeout = time.Duration(-1)

// DefaultIdle is the default of --idle-timeout for protocols in which the server can be expected
// to send something now and then.
const DefaultIdle = 25 * time.Second

// Idle returns IdleTimeout as a limit; 0: none.
func (s *Settings) Idle() time.Duration { return max(0, s.IdleTimeout) }

// DecodeBatch is the most messages that the loop decodes before it dispatches them, so the newest
// decoded message may be this far beyond the window. It is one longest run for each of two
// workers; with a few more messages, each worker would get a second run of one message.
const DecodeBatch = 2 * pool.MaxRun

// shareSlack is how many messages a worker may have beyond its share of the credit, because the
// peer may send a little more than it was asked for.
const shareSlack = 64

// WorkerShare returns how many of the peer's in-flight messages one worker may have. With
// --dispatch key, one worker may need all of them. Otherwise each has its part, so that a worker
// with a slow message leaves the others theirs.
func (s *Settings) WorkerShare() int {
	n := max(0, s.InFlight)
	if !s.ByKey {
		n /= max(1, s.Workers)
	}
	return n + shareSlack
}

// Allowed returns how many messages the peer may have in flight, at least 1, for a protocol that
// grants the peer credit. It is the smaller of the credit and RingCapacity, because a message
// that is not read in time may time out at the peer. It may change. Only the loop's goroutine may
// call it: a Conn, not [Protocol.New].
func (s *Settings) Allowed() int {
	n := s.InFlight
	if s.Credit != nil {
		n = s.Credit()
	}
	return max(1, min(n, s.RingCapacity()))
}

// RingCapacity returns how many messages the rings can always hold, whatever their keys and
// however they arrive.
func (s *Settings) RingCapacity() int {
	n := max(1, s.Ring/pool.MaxWords)
	if !s.ByKey {
		n *= max(1, s.Workers)
	}
	return n
}

// Codec is a protocol as the loop uses it. Whatever only some protocols can do is a field of
// Traits, or a method of Conn that a field of Traits enables. So a wrapper that copies the struct
// and embeds the Conn keeps everything that it does not replace.
type Codec struct {
	Traits

	// NewConn makes the state of a connection.
	NewConn func() Conn

	// Render appends the ack of one message, or nothing if the protocol has no ack for that code.
	// It is used with Traits.RenderAcks and may otherwise be nil. Workers call it while they have
	// the message; the loop calls it for a message that the loop refuses.
	Render func(dst []byte, m worker.Message, code worker.Code) []byte
}

// Traits are the fixed properties of a protocol with its settings.
type Traits struct {
	// Sequenced means that numbers identify messages across the connections of a session, and
	// increase by one. Otherwise Msg.Seq is the arrival number on the connection, from 1, and
	// redelivered messages are not recognised.
	Sequenced bool

	// Acks are the ack modes that the protocol allows, at least one. The first is the default.
	Acks []AckMode
	// AckNote is why it does not allow the others, as a clause for an error: "with --assemble".
	AckNote string

	// RenderAcks means that acks quote their messages. Workers then make them with Codec.Render;
	// otherwise the loop makes them with Conn.AppendAcks.
	RenderAcks bool

	// NoRefusalAck is why a refused message gets no ack, as a clause for the log; empty: it gets
	// one.
	NoRefusalAck string
	// AcksQuoteID means that acks quote the ids of messages.
	AcksQuoteID bool

	// Version names the protocol and its version, for people: "NSQ V2". Empty: Scheme.Name.
	Version string

	// Login means that the protocol has a login, which EventReady ends.
	Login bool
	// Unprobed is what a login with Hello.Probe leaves out, as a noun: "SUB"; empty: nothing.
	Unprobed string
	// TokenUnsent is why the login does not send the secret; empty: it does.
	TokenUnsent string

	// Secrets are the secrets among the protocol's own settings. The log masks them, even where a
	// peer repeats them.
	Secrets []*credential.Secret

	// Overhead is the most bytes that a frame has beside its message. A frame without a message,
	// such as the answer to a login, has at most this many in all.
	Overhead int
	// Window is the largest span from the oldest unacknowledged message to the newest; 0:
	// InFlight.
	Window int

	// HoldBack means that the peer counts messages in flight and, when the connection ends,
	// redelivers the unacknowledged ones to other clients. Workers then accept all of them, each
	// its Settings.WorkerShare, hand to their handlers only as many as these can finish in a
	// drain, and return the others.
	HoldBack bool
	// CanStop enables Conn.AppendStop.
	CanStop bool
	// Requeues means that the peer redelivers refused messages, after a delay of RetryMin.
	Requeues bool

	// Joins means that a message may be joined from several, and so be too large although none of
	// these was skipped.
	Joins bool

	// Meta is what the protocol reports about a message beside its data; nil: nothing. With
	// Meta.Split, which requires Settings.Heads, the bytes of a Msg are its head and its data.
	Meta *worker.Metadata

	// EOFIsClose means that the end of the stream is the protocol's clean close.
	EOFIsClose bool
	// StartTLS means that the TLS handshake does not come first, but after an EventStartTLS.
	StartTLS bool
	// PeerClosesFirst means that, after the protocol's close, the peer is expected to close the
	// connection before we do.
	PeerClosesFirst bool
	// CloseGrace limits how long work in flight may be finished and acknowledged after the peer's
	// close; 0: no limit.
	CloseGrace time.Duration
}

// AckMode is a value of --ack.
type AckMode uint8

// Ack modes.
const (
	AckEach    AckMode = iota // an ack for each message, as soon as it is done
	AckOrdered                // an ack for each message, in arrival order
	AckRange                  // cumulative: one ack for all messages up to a number
	AckNone                   // no acks
)

var ackModes = [...]string{AckEach: "each", AckOrdered: "ordered", AckRange: "range", AckNone: "none"}

func (m AckMode) String() string { return ackModes[m] }

// ParseAckMode parses the name of a mode.
func ParseAckMode(name string) (AckMode, error) {
	for m, n := range ackModes {
		if n == name {
			return AckMode(m), nil
		}
	}
	return 0, fmt.Errorf("%q is not one of %s", name, strings.Join(ackModes[:], ", "))
}

// AcksIf returns Traits.Acks for a protocol with an ack per message, or without acks.
func AcksIf(acked bool) []AckMode {
	if !acked {
		return []AckMode{AckNone}
	}
	return []AckMode{AckEach, AckOrdered, AckNone}
}
