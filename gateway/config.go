package gateway

import (
	"log/slog"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/credential"
)

// Config configures a gateway. A zero field means its documented default. Validate fills in the
// defaults and reports all errors at once, each as a [FieldError].
type Config struct {
	// Protocol is the server's protocol, with the settings that only this protocol has.
	Protocol wire.Protocol
	// Hosts are the servers, HOST:PORT each, in the order in which they are tried.
	Hosts []string
	// Secure selects TLS.
	Secure bool

	// URL names the upstream in State and by default in logs. Default: the protocol's scheme
	// and Hosts.
	URL string

	// Label names the upstream in logs. Default: Label(URL). It must be unique in the process.
	Label string

	Workers  int    // default GOMAXPROCS
	Dispatch string // "spread" (default) or "key"
	Key      string // selector: bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B, meta:NAME
	Ring     int    // entries of each ring, a power of two; default 8192 or the protocol's own

	FlushMax  int // messages per sendmmsg, 1 to 32; default 32
	FlushPack int // most acks in one such message; 0: all that are ready

	Ack         string        // "each", "ordered", "range", "none"; default: the protocol's first
	AckInterval time.Duration // longest delay of a range ack; default 100ms

	MaxMessage int64 // longest message, in bytes; longer ones are skipped and refused; default 1 MiB
	InFlight   int   // most messages in flight; default 65536 or the protocol's own
	Memory     int64 // total of read buffers and Output, in bytes; default 64 MiB

	Retries  int           // default 0
	RetryMin time.Duration // default 100ms

	// ID is the selector that picks a message's id. Default: the id that the protocol reports, if
	// any. See [worker.Message.AppendID].
	ID string
	// Output is the template that renders each message for Sink, in up to a quarter of Memory.
	// Empty: Sink gets the message itself. Keys, ids, acks and dead letters always refer to the
	// message itself.
	Output string
	// DataOnly means that Sink and DeadLetters read only the data of messages, so the protocol need
	// not keep the bytes from which ids and metadata are made.
	DataOnly bool
	// SinkMeta lists the metadata that Sink uses by name. A protocol that lacks one is a fault.
	SinkMeta []string

	// StallAfter is the time without a message becoming done, while workers have some, after which
	// a warning and Stats.Stalled report where they wait. Default 60s; NoTimeout: off.
	StallAfter time.Duration
	// SinkLabel and DeadLetterLabel name Sink and DeadLetters in these reports. Default "the sink"
	// and "their sink".
	SinkLabel, DeadLetterLabel string
	// SinkIsRemote means that deferred messages are with a disk or a server rather than with the
	// program's own code, for Stats.Waiting and the stopped time.
	SinkIsRemote bool

	// DeadLetters takes messages that are refused after all retries, and which are then acked with
	// code 7. Nil: none. Gateways can share it; they do not close it. It cannot ask for messages
	// again: it would refuse them. Run ends if it fails permanently.
	DeadLetters worker.Sink

	Heartbeat      time.Duration // default 5s
	IdleTimeout    time.Duration // default 25s or the protocol's own; NoTimeout: off
	ConnectTimeout time.Duration // default 10s
	WriteTimeout   time.Duration // default 5m
	ReconnectMin   time.Duration // at least 1ms; default 100ms
	ReconnectMax   time.Duration // default 10s
	DrainTimeout   time.Duration // default 10s

	// ConnectAttempts is the number of consecutive attempts, of one host each, that may fail to
	// become ready before Run fails. 0: no limit.
	ConnectAttempts int

	ExitOnClose bool               // Run returns nil once the server has closed and all is acked
	State       *State             // nil: none. Gateways can share it; they do not close it
	ClientName  string             // default host name
	Token       *credential.Secret // for the login; nil: none

	// TLS is used if Secure is set. Default: the system's certificate authorities, and no client
	// certificate. Gateways can share it.
	TLS *credential.TLS

	// Credit returns the part of InFlight that the gateway may use now, at least 1. It is for
	// gateways that share one InFlight and whose protocol announces it to the peer. The loop's
	// goroutine calls it. Default: InFlight.
	Credit func() int

	// Sink takes the messages. Gateways can share it; they do not close it.
	Sink worker.Sink

	// Log defaults to slog.Default. The event loop calls its Handler, which should not block: gateways of
	// one process share goroutines, so it would stop others, too. The same goes for Credit.
	Log *slog.Logger
}

// NoTimeout turns off IdleTimeout or StallAfter. Their zero value means the default.
const NoTimeout = wire.NoTimeout
