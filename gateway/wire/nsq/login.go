package nsq

import (
	"bytes"
	"encoding/json"
	"time"

	"feedgate/gateway/wire"
)

const (
	// outputBuffer is how many bytes nsqd gathers before it writes: the most that it
	// allows by default. Its own choice, 16 KiB, makes four times as many reads.
	outputBuffer = 64 << 10
	// outputDelay is the longest, in milliseconds, that a message waits for more to be
	// gathered: the least that nsqd allows by default. Its own choice is 250.
	outputDelay = 25
)

// server is what a server says of itself, with nsqd's defaults where it says nothing.
type server struct {
	maxReady   int64         // highest RDY
	timeout    time.Duration // a message comes again so long after it was sent or touched
	maxTimeout time.Duration // and so long after it was sent, touched or not
	heartbeat  time.Duration // as was asked for
	auth       bool          // AUTH is asked for
}

const (
	defaultMaxReady   = 2500
	defaultTimeout    = time.Minute
	defaultMaxTimeout = 15 * time.Minute
	defaultHeartbeat  = 30 * time.Second
)

type identify struct {
	ClientID            string `json:"client_id"`
	Hostname            string `json:"hostname"`
	UserAgent           string `json:"user_agent"`
	FeatureNegotiation  bool   `json:"feature_negotiation"`
	HeartbeatInterval   int64  `json:"heartbeat_interval,omitempty"` // milliseconds
	OutputBufferSize    int    `json:"output_buffer_size,omitempty"`
	OutputBufferTimeout int    `json:"output_buffer_timeout,omitempty"`
	TLS                 bool   `json:"tls_v1"`
	Snappy              bool   `json:"snappy"`
	Deflate             bool   `json:"deflate"`
}

type identified struct {
	MaxReadyCount int64 `json:"max_rdy_count"`
	MaxMsgTimeout int64 `json:"max_msg_timeout"` // milliseconds
	MsgTimeout    int64 `json:"msg_timeout"`     // milliseconds
	TLS           bool  `json:"tls_v1"`
	AuthRequired  bool  `json:"auth_required"`
}

// AppendHello appends the magic and IDENTIFY.
func (c *conn) AppendHello(dst []byte, r wire.Hello) []byte {
	c.token = bytes.Clone(r.Token)
	say := identify{
		ClientID: r.Client, Hostname: r.Client, UserAgent: "feedgate", FeatureNegotiation: true,
		HeartbeatInterval: c.p.cfg.Heartbeat.Milliseconds(),
		OutputBufferSize:  outputBuffer, OutputBufferTimeout: outputDelay,
		TLS: c.p.cfg.Secure,
	}
	if c.p.modest.Load() {
		say.OutputBufferSize, say.OutputBufferTimeout = 0, 0
	}
	body, err := json.Marshal(say)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return appendBody(append(append(dst, magic...), cmdIdentify...), body)
}

// login takes a response before the login is over; behind more bytes lie in the buffer.
func (c *conn) login(said []byte, behind int, in *wire.Input) *wire.Error {
	said = bytes.TrimPrefix(said, []byte(wire.BOM))
	switch c.phase {
	case identifying:
		return c.identified(said, behind, in)
	case authorizing:
		if !json.Valid(said) {
			return c.badJSON("AUTH", said)
		}
		c.subscribe(in)
		return nil
	}
	if !bytes.Equal(said, okay) {
		return c.errorf(wire.UnexpectedOp, "a response of %d bytes in the login, where OK is due", len(said))
	}
	if c.phase == securing {
		return c.authorize(in)
	}
	c.subscribed(in)
	return nil
}

func (c *conn) badJSON(command string, said []byte) *wire.Error {
	return c.errorf(wire.BadJSON, "the answer to %s: %d bytes that are not the JSON expected", command, len(said))
}

// identified takes the answer to IDENTIFY: JSON, or OK from a server that is older than
// the negotiation of features.
func (c *conn) identified(said []byte, behind int, in *wire.Input) *wire.Error {
	var a identified
	if !bytes.Equal(said, okay) && json.Unmarshal(said, &a) != nil {
		return c.badJSON("IDENTIFY", said)
	}
	c.server = server{
		maxReady: defaultMaxReady,
		timeout:  millis(a.MsgTimeout, defaultTimeout), maxTimeout: millis(a.MaxMsgTimeout, defaultMaxTimeout),
		heartbeat: defaultHeartbeat, auth: a.AuthRequired,
	}
	if a.MaxReadyCount > 0 {
		c.server.maxReady = a.MaxReadyCount
	}
	if c.p.cfg.Heartbeat > 0 {
		c.server.heartbeat = c.p.cfg.Heartbeat
	}
	switch {
	case !c.p.cfg.Secure:
		return c.authorize(in)
	case !a.TLS:
		return c.errorf(wire.TLS, "the server does not offer TLS; see nsqd's --tls-cert")
	case behind > 0:
		return c.errorf(wire.TLS, "%d bytes behind the answer to IDENTIFY, before the TLS that it announces", behind)
	}
	c.phase = securing
	in.Event = wire.Event{Kind: wire.EventStartTLS}
	return nil
}

// millis is a server's time, bounded so that sums of it do not overflow, or otherwise
// where it says none.
func millis(ms int64, otherwise time.Duration) time.Duration {
	const most = 1 << 40
	if ms <= 0 {
		return otherwise
	}
	return time.Duration(min(ms, most)) * time.Millisecond
}

// authorize says AUTH where the server asked for it, and else goes on to SUB. A server that
// does not know the secret cannot repeat it.
func (c *conn) authorize(in *wire.Input) *wire.Error {
	switch {
	case !c.server.auth:
		clear(c.token)
		c.token = nil
		c.subscribe(in)
	case len(c.token) == 0:
		c.phase = closed
		in.Event = wire.Event{
			Kind: wire.EventClose, Code: wire.CloseBadToken,
			Fault: c.errorf(wire.Login, "the server asks for a secret; see --token-file"),
		}
	default:
		c.phase = authorizing
		c.say(in, cmdAuth)
		in.Out = appendBody(in.Out, c.token)
	}
	return nil
}

func (c *conn) subscribe(in *wire.Input) {
	c.phase = subscribing
	c.say(in, cmdSub, c.p.cfg.Topic, " ", c.p.cfg.Channel, "\n")
}

// subscribed ends the login.
func (c *conn) subscribed(in *wire.Input) {
	c.phase = open
	c.flight = newFlight(c.p.cfg.InFlight)
	c.ready = c.wanted()
	in.Out = appendReady(in.Out, c.ready)
	in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
}
