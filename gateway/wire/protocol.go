package wire

import (
	"fmt"
	"strings"
	"time"

	"feedgate/worker"
	"feedgate/worker/credential"
)

// Protocol is a protocol with the settings that only it has, such as a topic or a framing. A
// program writes it down; the command line makes it from a URL and flags, see [Scheme]. It is
// immutable and may be shared.
type Protocol interface {
	// Scheme is how users name the protocol.
	Scheme() *Scheme

	// Defaults fills in the zero fields of s that have a default of their own with this
	// protocol.
	Defaults(s *Settings)

	// New checks the settings and makes the codec for them. Its error has a line for each
	// fault, by the name of the flag.
	New(s Settings) (*Codec, error)
}

// Settings are those of the gateway that protocols depend on. For Defaults, a zero field is
// one that its user left open; for New, all are filled in.
type Settings struct {
	Secure      bool // over TLS
	Workers     int
	ByKey       bool // --dispatch key
	Ring        int  // entries of each worker's ring
	MaxMessage  int64
	InFlight    int
	Memory      int64
	RetryMin    time.Duration
	Heartbeat   time.Duration
	IdleTimeout time.Duration // NoTimeout: off
	ExitOnClose bool
	// Heads: somebody asks for metadata, so messages have their heads; see Traits.Meta.
	Heads bool

	// Token is the login secret at the moment, to be checked and not kept; nil: none.
	Token []byte

	// Credit is the part of InFlight that this gateway may use now, at least 1, if several
	// gateways share it; nil: all. It may be called on the loop's goroutine only.
	Credit func() int
}

// NoTimeout as IdleTimeout turns it off; a zero field means the default.
const NoTimeout = time.Duration(-1)

// DefaultIdle is the default of --idle-timeout where the server can be expected to send
// something now and then.
const DefaultIdle = 25 * time.Second

// Idle is IdleTimeout as a limit; 0: there is none.
func (s *Settings) Idle() time.Duration { return max(0, s.IdleTimeout) }

// DecodeBatch is how many messages the loop has decoded at most before it dispatches them. So
// the newest decoded may be as far beyond the window. It is the longest run for each of two
// workers: of a few more, each would get a second run, of one message.
const DecodeBatch = 2 * worker.MaxRun

// shareSlack is what a worker may have beyond its share of the credit: the peer may send a
// little more than was asked for.
const shareSlack = 64

// WorkerShare is how many of the messages that the peer may have in flight one worker may have. By
// key, one worker may need all; else one with a message that takes long leaves the others
// their part.
func (s *Settings) WorkerShare() int {
	n := max(0, s.InFlight)
	if !s.ByKey {
		n /= max(1, s.Workers)
	}
	return n + shareSlack
}

// Allowed is how many messages the peer may have in flight, at least 1: for a protocol that
// tells it so. It is the credit, but not more than the rings hold, because what waits to be
// read may time out. It may change. Only a Conn may call it, not [Protocol.New], because it
// may be called on the loop's goroutine only.
func (s *Settings) Allowed() int {
	n := s.InFlight
	if s.Credit != nil {
		n = s.Credit()
	}
	return max(1, min(n, s.RingCapacity()))
}

// RingCapacity is how many messages the rings hold, whatever their keys and however they arrive.
func (s *Settings) RingCapacity() int {
	n := max(1, s.Ring/worker.MaxWords)
	if !s.ByKey {
		n *= max(1, s.Workers)
	}
	return n
}

// Codec is what the loop runs: what is fixed about a protocol as it is set up, and how
// connections are made. What only some protocols can do is a value here, or a method of Conn
// that Traits switch on; so whoever wraps a Codec copies the struct, embeds the Conn, and keeps
// everything that it does not replace.
type Codec struct {
	Traits

	// NewConn starts the state of one connection.
	NewConn func() Conn

	// Render appends the ack of one message, or nothing if the protocol has none for that
	// code. With Traits.RenderAcks it is called on the workers' goroutines, which have the
	// message, and on the loop's for a message that is refused there; else it may be nil.
	Render func(dst []byte, m worker.Message, code worker.Code) []byte
}

// Traits are the fixed properties of a protocol as it is set up.
type Traits struct {
	// Sequenced: sequence numbers identify messages from connection to
	// connection within a session, and rise by one. Otherwise Msg.Seq is the
	// arrival number on the connection, from 1, and nothing is known again.
	Sequenced bool

	// Acks are the ack modes that go with it, at least one; the first is the default.
	Acks []AckMode
	// AckNote says why others do not, as a clause for an error: "with --assemble".
	AckNote string

	// RenderAcks: an ack takes bytes from the message, so the worker renders it
	// while it has the message. Otherwise the loop makes acks by Conn.AppendAcks.
	RenderAcks bool

	// NoRefusalAck says why a refused message gets no ack, as a clause for the log; empty: it
	// gets one.
	NoRefusalAck string
	// AcksQuoteID: acks quote the messages' ids.
	AcksQuoteID bool

	// Login: there is a login, of which EventReady is the end.
	Login bool
	// TokenUnsent says why the login sends no secret, though there is one; empty: it does.
	TokenUnsent string

	// Secrets are those of the protocol's own settings, which a log must not show though a
	// peer repeats them.
	Secrets []*credential.Secret

	// Overhead is the most bytes that a frame has beside its message, or in all if it has
	// none, such as a login's answer.
	Overhead int
	// Window is how far the newest message may be from the oldest one that is not acked;
	// 0: InFlight.
	Window int

	// HoldBack: the peer counts what is in flight, and what is not acked when the
	// connection ends it gives to another client. So workers may have all of it, each its
	// Settings.Share, hand only so much to their handlers as these can finish in a drain,
	// and return the rest.
	HoldBack bool
	// CanStop: Conn.AppendStop is there.
	CanStop bool
	// Requeues: RetryMin is the delay with which the peer sends refused messages again.
	Requeues bool

	// Joins: a message may be joined from several, and so be too large though none of them
	// was skipped.
	Joins bool

	// Meta is what the protocol reports about its messages beside their data; nil: nothing.
	// With Meta.Split, the bytes of a Msg are head and message: only if Settings.Heads.
	Meta *worker.Metadata

	// EOFIsClose: end of stream is the protocol's clean close.
	EOFIsClose bool
	// StartTLS: over TLS, the handshake comes not first but behind an EventStartTLS.
	StartTLS bool
	// PeerClosesFirst: after the protocol's close, the peer is to close the connection first.
	PeerClosesFirst bool
	// CloseGrace bounds how long work in flight is finished and acked after the peer
	// has said that it sends no more; zero: as long as it takes.
	CloseGrace time.Duration
}

// AckMode is --ack.
type AckMode uint8

// Ack modes.
const (
	AckEach    AckMode = iota // an ack for each message, as it is done
	AckOrdered                // an ack for each message, in order of arrival
	AckRange                  // one ack for all messages up to a number: Conn.AppendAckTo
	AckNone                   // no acks
)

var ackModes = [...]string{AckEach: "each", AckOrdered: "ordered", AckRange: "range", AckNone: "none"}

func (m AckMode) String() string { return ackModes[m] }

// ParseAckMode reads the name of a mode.
func ParseAckMode(name string) (AckMode, error) {
	for m, n := range ackModes {
		if n == name {
			return AckMode(m), nil
		}
	}
	return 0, fmt.Errorf("%q is not one of %s", name, strings.Join(ackModes[:], ", "))
}

// AcksIf is Traits.Acks of a protocol whose messages have acks of their own, or have none.
func AcksIf(some bool) []AckMode {
	if !some {
		return []AckMode{AckNone}
	}
	return []AckMode{AckEach, AckOrdered, AckNone}
}
