package ws

import (
	"errors"
	"net/url"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/framed"
	"feedgate/worker/flagset"
	"feedgate/worker/header"
)

// Scheme names WebSocket.
var Scheme = wire.Scheme{
	Name: "ws", Port: "80", Secure: "wss", SecurePort: "443",
	ALPN:   []string{"http/1.1"},
	Target: "/PATH?QUERY",
	Examples: []string{
		"wss://feed.example/stream --ack-template 'A{n}' --ws-subprotocol feed.v1 --sink file:stream.log",
	},
	Meta:  metadata.Names,
	Flags: []any{framed.Flags{}, Flags{}},
	Parse: func(target string, flags *flagset.Flags) (wire.Protocol, error) {
		path, err := requestTarget(target)
		return Protocol{path, flagset.Of[Flags](flags), flagset.Of[framed.Flags](flags)}, err
	},
}

// Flags are the settings of the handshake, and the flags for them.
type Flags struct {
	// Headers are additional headers of the request, "Name: value". {token} is the secret.
	Headers []string `name:"ws-header" group:"ws" sep:"none" placeholder:"'NAME: VALUE'" help:"Sent with the handshake; {token} is the token. May be repeated."`
	// Subprotocol is requested, and the server must agree to it.
	Subprotocol string `name:"ws-subprotocol" group:"ws" placeholder:"NAME" help:"Asked for; the server must agree to it."`
	// Origin is the Origin header.
	Origin string `name:"ws-origin" group:"ws" placeholder:"ORIGIN" help:"Origin header of the handshake."`
}

// Group implements [flagset.Grouped].
func (Flags) Group() (key, title string) { return "ws", "Scheme ws:" }

// requestTarget returns the path and query (RFC 9112, section 3.2.1) of what follows the hosts.
func requestTarget(target string) (string, error) {
	switch {
	case target == "":
		return "/", nil
	case strings.Contains(target, "#"):
		return "", errors.New(`upstream URL: a fragment, "#", has no meaning`)
	case target[0] == '?':
		target = "/" + target
	}
	parsed, err := url.ParseRequestURI(target)
	if err != nil {
		return "", errors.New("upstream URL: the path or the query is not well-formed")
	}
	return parsed.RequestURI(), nil
}

// Protocol is WebSocket. What the gateway sends is described by templates.
type Protocol struct {
	Path string // request target, "/path?query"; empty: "/"
	Flags
	Framed framed.Flags
}

// Scheme implements [wire.Protocol].
func (Protocol) Scheme() *wire.Scheme { return &Scheme }

// Defaults implements [wire.Protocol].
func (Protocol) Defaults(*wire.Settings) {}

// New implements [wire.Protocol].
func (p Protocol) New(s wire.Settings) (*wire.Codec, error) {
	span := s.InFlight + wire.DecodeBatch
	if p.Framed.Assemble != "" {
		span = 0 // the parts of open requests have numbers too
	}
	codec, err := New(Config{
		InFlight: span, Path: p.Path, Secure: s.Secure,
		Headers: p.Headers, Subprotocol: p.Subprotocol, Origin: p.Origin,
		Hello: p.Framed.Hello, AckTemplate: p.Framed.AckTemplate,
		HeartbeatTemplate: p.Framed.HeartbeatTemplate, IgnorePrefix: p.Framed.IgnorePrefix,
		Heartbeat: s.Heartbeat, MaxMessage: s.MaxMessage, IdleTimeout: s.Idle(),
	})
	if err != nil {
		return nil, err
	}
	headers, _ := header.ParseAll("--ws-header", p.Headers, reservedFor) // without a fault, as New has it
	login := framed.Login{Flag: "--ws-header", HasToken: header.AnyToken(headers)}
	if login.HasToken && !header.IsValue(string(s.Token)) {
		return nil, errors.New("--token-file: the secret holds a control character and cannot be in --ws-header")
	}
	return p.Framed.Finish(codec, s, login)
}

// schemePort returns the default port, which the Host header leaves out.
func schemePort(secure bool) string {
	if secure {
		return Scheme.SecurePort
	}
	return Scheme.Port
}
