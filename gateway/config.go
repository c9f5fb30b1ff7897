package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/credential"
)

// Config sets a gateway up. Zero fields mean the documented default; Validate
// fills them in and reports every fault at once, each as a [FieldError].
type Config struct {
	// Protocol is what the server speaks, with the settings that only it has.
	Protocol wire.Protocol
	// Hosts are the servers, HOST:PORT each, in the order in which they are tried.
	Hosts []string
	// Secure: over TLS.
	Secure bool

	// URL names the upstream in State and by default in logs. Default: the protocol's scheme
	// and Hosts.
	URL string

	// Label names the upstream in logs. Default: Label(URL). Gateways of one process have
	// different ones.
	Label string

	Workers  int    // default GOMAXPROCS
	Dispatch string // "spread" (default) or "key"
	Key      string // selector: bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B, meta:NAME
	Ring     int    // entries of each ring, a power of two; default 8192, or by protocol

	FlushMax  int // messages per sendmmsg, 1 to 32; default 32
	FlushPack int // acks in one such message at most; 0: as many as lie ready

	Ack         string        // "each", "ordered", "range", "none"; default: the protocol's first
	AckInterval time.Duration // longest a range ack waits; default 100ms

	MaxMessage int64 // bytes; default 1 MiB; longer ones are skipped and refused
	InFlight   int   // default 65536, or by protocol
	Memory     int64 // bytes of read buffers and Output in all; default 64 MiB

	Retries  int           // default 0
	RetryMin time.Duration // default 100ms

	// ID is the selector that picks a message's id; default: the protocol reports it, or there
	// is none. See [worker.Message.AppendID].
	ID string
	// Output is the template that makes what Sink gets of each message; empty: the message
	// itself. It takes up to a quarter of Memory. Key, ID, acks and dead letters are of the
	// message itself.
	Output string
	// DataOnly: Sink and DeadLetters read only the data of messages. A protocol may then
	// leave out what ids and metadata are made of.
	DataOnly bool

	// StallAfter is how long no message may become done, while some are with workers, before a
	// warning and Stats.Stalled say where they wait; default 60s; NoTimeout: off.
	StallAfter time.Duration
	// SinkLabel and DeadLetterLabel name Sink and DeadLetters there. Default "the sink" and
	// "their sink".
	SinkLabel, DeadLetterLabel string

	// DeadLetters takes messages that are refused for good, which are then acked
	// with code 7; nil: none. It is shared, not closed, by the gateway.
	DeadLetters worker.Sink

	Heartbeat      time.Duration // default 5s
	IdleTimeout    time.Duration // default 25s, or by protocol; NoTimeout: off
	ConnectTimeout time.Duration // default 10s
	WriteTimeout   time.Duration // default 5m
	ReconnectMin   time.Duration // at least 1ms; default 100ms
	ReconnectMax   time.Duration // default 10s
	DrainTimeout   time.Duration // default 10s

	// ConnectAttempts is how many attempts in a row, of one host each, may fail to become
	// ready before Run fails. 0: no limit.
	ConnectAttempts int

	ExitOnClose bool
	State       *State             // shared, not closed, by the gateway; nil: none
	ClientName  string             // default host name
	Token       *credential.Secret // for the login; nil: none

	// TLS goes with Secure; default: the system's certificate authorities and no certificate
	// of our own. Gateways share it.
	TLS *credential.TLS

	// Credit is the part of InFlight that the gateway may use at the moment, at least 1, for
	// gateways that share one with a protocol that tells the peer. It is called on the loop's
	// goroutine. Default: InFlight.
	Credit func() int

	// Sink takes the messages. It is shared, not closed, by the gateway.
	Sink worker.Sink

	Log *slog.Logger // default slog.Default()
}

// NoTimeout as IdleTimeout or StallAfter turns it off; a zero field means the default.
const NoTimeout = wire.NoTimeout
