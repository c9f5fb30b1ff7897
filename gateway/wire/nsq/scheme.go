package nsq

import (
	"errors"
	"fmt"
	"math/bits"
	"net/url"
	"strings"

	"feedgate/gateway/internal/pool"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/nsq/nsqlookup"
	"feedgate/worker/flagset"
)

// Scheme names NSQ.
var Scheme = wire.Scheme{
	Name: "nsq", Secure: "nsq+tls",
	Target: "/TOPIC/CHANNEL",
	Examples: []string{
		"nsq://queue:4150/orders/archive --sink file:orders.log",
		"nsq:///orders/billing --nsqlookupd a:4161,b:4161 --sink exec:./bill",
		"nsq://queue:4150/orders/archive --output '{id} {meta:attempts} {data}' --sink stdout:",
	},
	Meta: names,
	Parse: func(target string, _ *flagset.Flags) (wire.Protocol, error) {
		topic, channel, err := parseTarget(target)
		return Protocol{Topic: topic, Channel: channel}, err
	},
	Discovery: &wire.Discovery{Flags: []any{LookupFlags{}}, Source: "nsqlookupd", Server: "nsqd", New: newFinder},
	Reasons:   Reasons,
}

// LookupFlags are the flags of a URL without a host.
type LookupFlags struct {
	Lookupd []string `name:"nsqlookupd" group:"nsq" placeholder:"ADDR" help:"Where to ask for the servers of nsq:///."`
}

// Group implements [flagset.Grouped].
func (LookupFlags) Group() (key, title string) { return "nsq", "Scheme nsq:" }

// Help implements [flagset.Explained].
func (LookupFlags) Help() string {
	return `NSQ: --in-flight is the RDY count [2500], for nsq:///TOPIC/CHANNEL that of all servers together, which --nsqlookupd finds; --ring holds it by default.`
}

func newFinder(target string, flags *flagset.Flags, cfg wire.DiscoveryConfig) (wire.Discoverer, error) {
	topic, _, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	addrs := flagset.Of[LookupFlags](flags).Lookupd
	if len(addrs) == 0 {
		return nil, errors.New("--nsqlookupd: nsq:///TOPIC/CHANNEL needs it, to find the servers")
	}
	lookup, err := nsqlookup.New(nsqlookup.Config{Addrs: addrs, Topic: topic, Timeout: cfg.Timeout, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return lookup, nil
}

// parseTarget parses /TOPIC/CHANNEL. The # of names that end in #ephemeral may be unescaped.
func parseTarget(target string) (topic, channel string, err error) {
	path, ok := strings.CutPrefix(target, "/")
	names := strings.Split(path, "/")
	if !ok || len(names) != 2 || names[0] == "" || names[1] == "" {
		return "", "", errors.New("upstream URL: want nsq://HOST:PORT/TOPIC/CHANNEL, or nsq:///TOPIC/CHANNEL with --nsqlookupd")
	}
	for i := range names {
		if names[i], err = url.PathUnescape(names[i]); err != nil {
			return "", "", errors.New("upstream URL: topic or channel is not well-formed")
		}
	}
	return names[0], names[1], nil
}

// Protocol is a consumer of one topic and channel.
type Protocol struct{ Topic, Channel string }

// Scheme implements [wire.Protocol].
func (Protocol) Scheme() *wire.Scheme { return &Scheme }

const (
	// defaultReady is the highest RDY count that nsqd allows by default.
	defaultReady = 2500
	// defaultRingMax is the highest default of --ring: half a MiB per worker.
	defaultRingMax = 1 << 16
	// The loop's window, which nsqd does not know: one slow message must not hold up the rest.
	// maxWindow limits the memory for ids, 34 bytes per slot.
	minWindow, maxWindow = 1 << 16, 1 << 20
)

// Defaults implements [wire.Protocol]. The rings hold all messages that nsqd may have in flight,
// even if each arrives alone: a message that is not read cannot be touched.
func (Protocol) Defaults(s *wire.Settings) {
	if s.InFlight == 0 {
		s.InFlight = defaultReady
	}
	if s.Ring == 0 {
		words := pool.MaxWords * s.WorkerShare()
		s.Ring = min(defaultRingMax, 1<<bits.Len(uint(max(1, words)-1)))
	}
}

// New implements [wire.Protocol].
func (p Protocol) New(s wire.Settings) (*wire.Codec, error) {
	window := min(max(s.InFlight, minWindow), maxWindow)
	codec, err := New(Config{
		Topic: p.Topic, Channel: p.Channel, Secure: s.Secure,
		MaxMessage: s.MaxMessage, InFlight: window + wire.DecodeBatch,
		Ready: s.Allowed, Memory: s.Memory / 2, Heartbeat: s.Heartbeat, RequeueMin: s.RetryMin,
		Heads: s.Heads,
	})
	if s.IdleTimeout != wire.NoTimeout && s.IdleTimeout < 2*s.Heartbeat {
		err = errors.Join(err, fmt.Errorf("--idle-timeout: %v is less than twice --heartbeat, %v, the interval at which nsqd signals that it is alive",
			s.IdleTimeout, s.Heartbeat))
	}
	if err != nil {
		return nil, err
	}
	codec.Window = window
	return codec, nil
}
