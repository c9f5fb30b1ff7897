// Package nsq implements a consumer of nsqd's TCP protocol V2 (NSQ TCP protocol spec,
// https://nsq.io/clients/tcp_protocol_spec.html). A message is identified by its arrival number
// on the connection; its nsqd id is kept until it is acked.
package nsq

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
)

// minHeartbeat is the shortest heartbeat_interval that nsqd accepts.
const minHeartbeat = time.Second

// Config configures a consumer.
type Config struct {
	Topic, Channel string

	MaxMessage int64 // bytes; 1 to 1 GiB

	// InFlight is the largest span from the oldest unacknowledged message to the newest decoded
	// one, both included.
	InFlight int

	// Ready returns the wanted RDY count, at least 1. The loop calls it at login and at each
	// Tick; the result may change at any time.
	Ready func() int

	// Memory limits the messages in flight in bytes, by their average length; 0: no limit. If
	// reading stopped for lack of memory, nsqd would give up the connection.
	Memory int64

	Heartbeat time.Duration // requested heartbeat_interval; 0: nsqd's default

	// RequeueMin is the delay of REQ for a message refused at its first attempt. It doubles with
	// each attempt, up to 15 minutes.
	RequeueMin time.Duration

	Secure bool // TLS, negotiated in IDENTIFY

	// Heads means that messages keep their heads, from which metadata and ids are taken.
	Heads bool
}

// New makes the codec. Its error has one line per fault, which begins with the flag.
func New(cfg Config) (*wire.Codec, error) {
	var faults faults.List
	faults.Add("upstream URL", checkName("topic", cfg.Topic))
	faults.Add("upstream URL", checkName("channel", cfg.Channel))
	faults.CheckMaxMessage(cfg.MaxMessage)
	if cfg.InFlight < 1 {
		faults.Add("--in-flight", fmt.Errorf("%d is less than 1", cfg.InFlight))
	}
	if d := cfg.Heartbeat; d != 0 && d < minHeartbeat {
		faults.Add("--heartbeat", fmt.Errorf("%v is less than the %v that nsqd requires", d, minHeartbeat))
	}
	if cfg.RequeueMin < 0 {
		faults.Add("--retry-min", fmt.Errorf("%v is negative", cfg.RequeueMin))
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	p := &protocol{cfg: cfg}
	return &wire.Codec{
		Traits: wire.Traits{
			Acks: []wire.AckMode{wire.AckEach}, Login: true, StartTLS: cfg.Secure,
			Version: "NSQ V2", Unprobed: "SUB",
			// A response is longer than the head of a message.
			Overhead: headSize + maxReply,
			HoldBack: true, CanStop: true, Requeues: true,
			Meta: p.metadata(),
		},
		NewConn: func() wire.Conn { return &conn{p: p} },
	}, nil
}

// checkName checks the name of a topic or a channel as nsqd does.
func checkName(what, name string) error {
	const longest = 64 // with its suffix
	stem := strings.TrimSuffix(name, "#ephemeral")
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if stem == "" || len(name) > longest || strings.ContainsFunc(stem, odd) {
		return errors.New("the " + what + " must be 1 to 64 letters, digits, '.', '_' or '-', optionally ending in #ephemeral")
	}
	return nil
}

// protocol is what all connections share.
type protocol struct {
	cfg Config // immutable

	// plainIdentify means that a server rejected our output buffer settings, so IDENTIFY omits
	// them. A connection sets it for later ones, each on its own goroutine.
	plainIdentify atomic.Bool
}
