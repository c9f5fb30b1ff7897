// Package fg1 is the native protocol, FG/1, from the gateway's side, and its
// frame layout for both sides. docs/protocol.md describes it for people who
// write a feed server.
package fg1

import (
	"strconv"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// Config sets FG/1 up.
type Config struct {
	MaxMessage int64         // bytes
	Heartbeat  time.Duration // until WELCOME says otherwise
}

type protocol struct{ cfg Config }

// New makes the protocol.
func New(cfg Config) wire.Protocol { return protocol{cfg} }

func (p protocol) Traits() wire.Traits {
	return wire.Traits{Sequenced: true, Acks: true, CumulativeAcks: true, Overhead: HeaderSize + maxControl, Meta: metadata}
}

// metadata of a message is its session and its number in it, which identify it if the server
// names sessions.
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

func (p protocol) NewConn() wire.Conn {
	return &conn{maxMessage: uint64(p.cfg.MaxMessage), heartbeat: p.cfg.Heartbeat}
}

func (p protocol) Render(dst []byte, _ worker.Message, _ worker.Code) []byte {
	panic("fg1: acks are made by AppendAcks")
}
