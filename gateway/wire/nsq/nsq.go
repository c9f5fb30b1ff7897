// Package nsq is a consumer of nsqd's TCP protocol V2, from the client's side (NSQ TCP
// protocol spec, https://nsq.io/clients/tcp_protocol_spec.html). A message is known by
// its arrival number on its connection; what nsqd calls it is kept until its ack.
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

// leastHeartbeat is the shortest heartbeat_interval that nsqd takes.
const leastHeartbeat = time.Second

// Config sets a consumer up.
type Config struct {
	Topic, Channel string

	MaxMessage int64 // bytes; 1 to 1 GiB

	// InFlight is the most arrival numbers from the oldest message that is not acked to
	// the newest decoded, both included.
	InFlight int

	// Ready is the RDY count that is wanted, at least 1. It is asked at login and at each
	// Tick, on the loop; any goroutine may change what it returns.
	Ready func() int

	// Memory bounds what may be in flight in bytes, by the length that messages have on
	// average; 0: it does not. A connection that is not read for want of memory is one
	// that nsqd gives up.
	Memory int64

	Heartbeat time.Duration // asked for as heartbeat_interval; 0: nsqd's default

	// RequeueMin is how long a message that was refused at its first attempt stays away;
	// it doubles with each attempt, up to 15 minutes.
	RequeueMin time.Duration

	Secure bool // TLS, negotiated in IDENTIFY

	// Heads: messages keep their heads, from which metadata and ids are taken. Without, they
	// have none.
	Heads bool
}

// New makes the codec. An error names the flags at fault, all of them.
func New(cfg Config) (*wire.Codec, error) {
	var faults faults.List
	faults.Add("upstream URL", checkName("topic", cfg.Topic))
	faults.Add("upstream URL", checkName("channel", cfg.Channel))
	faults.CheckMaxMessage(cfg.MaxMessage)
	if cfg.InFlight < 1 {
		faults.Add("--in-flight", fmt.Errorf("%d is under 1", cfg.InFlight))
	}
	if d := cfg.Heartbeat; d != 0 && d < leastHeartbeat {
		faults.Add("--heartbeat", fmt.Errorf("%v is under the %v that nsqd takes", d, leastHeartbeat))
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
		return errors.New("the " + what + " is not 1 to 64 of letters, digits, '.', '_' and '-', with #ephemeral at the end or without")
	}
	return nil
}

// protocol is what the connections share.
type protocol struct {
	cfg Config // immutable

	// modest: a server has refused IDENTIFY, so no output buffer is asked for any more. Set
	// by one connection for those after it, each on the goroutine that has it.
	modest atomic.Bool
}
