// Package toy is TOY/1, a protocol with a login, ordered acks, credit and metadata. It is the
// example of docs/adding-a-protocol.md: complete and tested, but in no program's list.
package toy

import (
	"errors"
	"net/url"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/worker/flagset"
)

// Scheme names TOY/1.
var Scheme = wire.Scheme{
	Name: "toy", Port: "7007",
	Secure: "toy+tls", SecurePort: "7008",
	Target:   "/CHANNEL",
	Examples: []string{"toy://feed.example/orders --sink exec:./handle"},
	Flags:    []any{Flags{}},
	Parse:    parse,
	Reasons:  []string{badCredit},
	Meta:     metaNames,
}

// badCredit is the reason of errors about credit.
const badCredit = "toy"

// defaultCredit is the default of --toy-credit.
const defaultCredit = 100

// Flags are the flags of toy URLs.
type Flags struct {
	Credit int `name:"toy-credit" group:"toy" placeholder:"N" help:"Most messages that may be sent and not acked [100]."`
}

// Group implements [flagset.Grouped].
func (Flags) Group() (key, title string) { return "toy", "Scheme toy:" }

// Protocol is TOY/1 for one channel.
type Protocol struct {
	Channel string
	Credit  int // most messages that may be sent and not acked; 0: 100
}

func parse(target string, f *flagset.Flags) (wire.Protocol, error) {
	path, _ := strings.CutPrefix(target, "/")
	channel, err := url.PathUnescape(path)
	if err != nil {
		return nil, errors.New("upstream URL: the channel has a malformed percent escape")
	}
	if strings.ContainsAny(path, "?#") {
		return nil, errors.New("upstream URL: nothing may follow the channel")
	}
	return Protocol{Channel: channel, Credit: flagset.Of[Flags](f).Credit}, nil
}

// Scheme implements [wire.Protocol].
func (Protocol) Scheme() *wire.Scheme { return &Scheme }

// Defaults implements [wire.Protocol].
func (Protocol) Defaults(*wire.Settings) {}

// New implements [wire.Protocol].
func (p Protocol) New(s wire.Settings) (*wire.Codec, error) {
	var faults faults.List
	faults.Check(p.Channel != "", "upstream URL: the channel is missing")
	faults.Check(!strings.Contains(p.Channel, "\n"), "upstream URL: a channel has no line feed")
	faults.Check(p.Credit >= 0, "--toy-credit: it must be at least 1")
	if err := faults.Err(); err != nil {
		return nil, err
	}
	credit := p.Credit
	if credit == 0 {
		credit = defaultCredit
	}
	return &wire.Codec{
		Traits: wire.Traits{
			Version:  "TOY/1",
			Login:    true,
			Acks:     []wire.AckMode{wire.AckOrdered},
			Overhead: frameHead + maxControl, // which a message's head does not reach
			Meta:     metadata(s.Heads),
		},
		NewConn: func() wire.Conn {
			return &conn{
				channel: p.Channel, settings: s, limit: min(credit, s.InFlight),
				ping: wire.Heartbeat{Interval: s.Heartbeat},
			}
		},
	}, nil
}
