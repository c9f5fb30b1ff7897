package nsq

import (
	"bytes"
	"encoding/json"
	"time"

	"feedgate/gateway/wire"
)

const (
	// outputBuffer is how many bytes nsqd buffers before it writes: the most that it allows by
	// default. Its own default, 16 KiB, causes four times as many reads.
	outputBuffer = 64 << 10
	// outputDelay is the longest time, in milliseconds, that a message stays in that buffer: the
	// least that nsqd allows by default. Its own default is 250.
	outputDelay = 25
)

// server is what a server reports of itself; nsqd's defaults where it reports nothing.
type server struct {
	maxReady   int64         // highest RDY
	timeout    time.Duration // a message is redelivered this long after it was sent or touched
	maxTimeout time.Duration // and this long after it was sent, touched or not
	heartbeat  time.Duration // as requested
	auth       bool          // AUTH is required
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
	c.token, c.probe = bytes.Clone(r.Token), r.Probe
	params := identify{
		ClientID: r.Client, Hostname: r.Client, UserAgent: "feedgate", FeatureNegotiation: true,
		HeartbeatInterval: c.p.cfg.Heartbeat.Milliseconds(),
		OutputBufferSize:  outputBuffer, OutputBufferTimeout: outputDelay,
		TLS: c.p.cfg.Secure,
	}
	if c.p.plainIdentify.Load() {
		params.OutputBufferSize, params.OutputBufferTimeout = 0, 0
	}
	body, err := json.Marshal(params)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return appendBody(append(append(dst, magic...), cmdIdentify...), body)
}

// login handles a response during the login, which is followed by after more bytes in the buffer.
func (c *conn) login(body []byte, after int, in *wire.Input) *wire.Error {
	body = bytes.TrimPrefix(body, []byte(wire.BOM))
	switch c.phase {
	case identifying:
		return c.identified(body, after, in)
	case authorizing:
		if !json.Valid(body) {
			return c.badJSON("AUTH", body)
		}
		c.subscribe(in)
		return nil
	}
	if !bytes.Equal(body, okay) {
		return c.errorf(wire.UnexpectedOp, "a response of %d bytes during login, expected OK", len(body))
	}
	if c.phase == startingTLS {
		return c.authorize(in)
	}
	c.subscribed(in)
	return nil
}

func (c *conn) badJSON(command string, body []byte) *wire.Error {
	return c.errorf(wire.BadJSON, "the answer to %s: %d bytes that are not the expected JSON", command, len(body))
}

// identified handles the answer to IDENTIFY: JSON, or OK from a server that is too old to
// negotiate features.
func (c *conn) identified(body []byte, after int, in *wire.Input) *wire.Error {
	var a identified
	if !bytes.Equal(body, okay) && json.Unmarshal(body, &a) != nil {
		return c.badJSON("IDENTIFY", body)
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
	case after > 0:
		return c.errorf(wire.TLS, "%d bytes between the answer to IDENTIFY and the TLS handshake", after)
	}
	c.phase = startingTLS
	in.Event = wire.Event{Kind: wire.EventStartTLS}
	return nil
}

// millis converts a server's time, bounded so that sums do not overflow. It returns otherwise if
// the server gives none.
func millis(ms int64, otherwise time.Duration) time.Duration {
	const most = 1 << 40
	if ms <= 0 {
		return otherwise
	}
	return time.Duration(min(ms, most)) * time.Millisecond
}

// authorize sends AUTH if the server requires it, and otherwise continues with SUB. In that case
// it drops the secret: a server that does not know it cannot repeat it.
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
			Fault: c.errorf(wire.Login, "the server requires a secret; see --token-file"),
		}
	default:
		c.phase = authorizing
		c.send(in, cmdAuth)
		in.Out = appendBody(in.Out, c.token)
	}
	return nil
}

// subscribe sends SUB. A probe ends here: nsqd counts a subscriber among those that share the
// messages, and SUB would create the channel.
func (c *conn) subscribe(in *wire.Input) {
	if c.probe {
		c.phase = closed
		in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
		return
	}
	c.phase = subscribing
	c.send(in, cmdSub, c.p.cfg.Topic, " ", c.p.cfg.Channel, "\n")
}

// subscribed ends the login.
func (c *conn) subscribed(in *wire.Input) {
	c.phase = open
	c.flight = newFlight(c.p.cfg.InFlight)
	c.ready = c.wantedReady()
	in.Out = appendReady(in.Out, c.ready)
	in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
}
