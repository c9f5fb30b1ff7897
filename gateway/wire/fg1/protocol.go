// Package fg1 implements the gateway's side of the native protocol, FG/1, and has its frame
// layout for both sides. docs/protocol.md describes it for authors of feed servers.
package fg1

import (
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/flagset"
)

// Scheme names FG/1.
var Scheme = wire.Scheme{
	Name: "fg", Secure: "fg+tls",
	Examples: []string{
		"fg://feed.example:7000 --sink exec:./handle",
		"fg://a:7000,b:7000 --sink file:in.log --state in.state",
		"fg+tls://feed:7443 --tls-ca ca.pem --tls-cert me.pem --tls-key me.key --sink file:in.log",
		"fg://feed:7000 --dispatch key --key json:user --sink exec:./handle",
	},
	Meta:  metadata.Names,
	Parse: func(string, *flagset.Flags) (wire.Protocol, error) { return Protocol{}, nil },
}

// Protocol is FG/1. It has no settings of its own.
type Protocol struct{}

// Scheme implements [wire.Protocol].
func (Protocol) Scheme() *wire.Scheme { return &Scheme }

// Defaults implements [wire.Protocol].
func (Protocol) Defaults(*wire.Settings) {}

// New implements [wire.Protocol].
func (Protocol) New(s wire.Settings) (*wire.Codec, error) {
	if !utf8.Valid(s.Token) {
		return nil, errors.New("--token-file: the secret is not UTF-8, which fg:// sends as JSON")
	}
	return New(Config{MaxMessage: s.MaxMessage, Heartbeat: s.Heartbeat}), nil
}

// Config configures FG/1.
type Config struct {
	MaxMessage int64         // bytes
	Heartbeat  time.Duration // interval of PING, unless WELCOME sets another
}

// New makes the codec.
func New(cfg Config) *wire.Codec {
	return &wire.Codec{
		Traits: wire.Traits{
			Version: "FG/1", Sequenced: true, Login: true, Overhead: HeaderSize + maxControl, Meta: metadata,
			Acks: []wire.AckMode{wire.AckEach, wire.AckOrdered, wire.AckRange, wire.AckNone},
		},
		NewConn: func() wire.Conn {
			return &conn{maxMessage: uint64(cfg.MaxMessage), ping: wire.Heartbeat{Interval: cfg.Heartbeat}}
		},
	}
}

// metadata of a message is its session and its number in the session. Together they are its id,
// if the server names its sessions.
var metadata = &worker.Metadata{
	Names: []string{"session", "seq"},
	Append: func(dst []byte, m worker.Message, name string) []byte {
		switch name {
		case "session":
			return append(dst, m.Session()...)
		case "seq":
			return strconv.AppendUint(dst, m.Seq, 10)
		}
		return dst
	},
	AppendID: func(dst []byte, m worker.Message) []byte {
		session := m.Session()
		if session == "" {
			return dst
		}
		dst = append(append(dst, session...), '-')
		return strconv.AppendUint(dst, m.Seq, 10)
	},
}
