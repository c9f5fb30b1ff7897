// Package tcp implements the scheme tcp: any protocol that is a stream of framed messages.
package tcp

import (
	"errors"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/framed"
	"feedgate/gateway/wire/stream"
	"feedgate/worker/flagset"
)

// Scheme names the protocol.
var Scheme = wire.Scheme{
	Name: "tcp", Secure: "tcp+tls",
	Examples: []string{
		"tcp://gps:2000 --frame line --sink stdout: --exit-on-close",
		"tcp://q:9000 --frame length:size=2 --ack-template '{n:u64be}{code:u16be}' --sink exec:./handle",
	},
	Flags: []any{Flags{}, framed.Flags{}},
	Parse: func(_ string, flags *flagset.Flags) (wire.Protocol, error) {
		return Protocol{flagset.Of[Flags](flags), flagset.Of[framed.Flags](flags)}, nil
	},
}

// Flags are the settings of the framing, and the flags for them.
type Flags struct {
	// Frame is how messages are framed; see [stream.Config].
	Frame string `name:"frame" group:"framing" placeholder:"HOW" help:"tcp: line, delim:, varint, length:, above."`
}

// Help implements [flagset.Explained].
func (Flags) Help() string {
	return "Framings: line; line:skip-empty; delim:HEX; varint; length:offset=0,size=4,adjust=0,strip=4,order=big. --idle-timeout is off by default for tcp without --heartbeat-template."
}

// Protocol is a stream of framed messages.
type Protocol struct {
	Flags
	Framed framed.Flags
}

// Scheme implements [wire.Protocol].
func (Protocol) Scheme() *wire.Scheme { return &Scheme }

// Defaults implements [wire.Protocol]. Silence means nothing without a heartbeat that the server
// may answer, so the idle timeout is then off.
func (p Protocol) Defaults(s *wire.Settings) {
	if s.IdleTimeout == 0 && p.Framed.HeartbeatTemplate == "" {
		s.IdleTimeout = wire.NoTimeout
	}
}

// New implements [wire.Protocol].
func (p Protocol) New(s wire.Settings) (*wire.Codec, error) {
	if p.Frame == "" {
		return nil, errors.New("--frame: tcp:// needs one of line, line:skip-empty, delim:HEX, length:..., varint")
	}
	codec, err := stream.New(stream.Config{
		Frame: p.Frame, Hello: p.Framed.Hello, AckTemplate: p.Framed.AckTemplate,
		HeartbeatTemplate: p.Framed.HeartbeatTemplate, IgnorePrefix: p.Framed.IgnorePrefix,
		Heartbeat: s.Heartbeat, MaxMessage: s.MaxMessage, LastLine: s.ExitOnClose,
	})
	if err != nil {
		return nil, err
	}
	return p.Framed.Finish(codec, s)
}
