package gateway

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/stream"
)

// upstream is a parsed upstream URL.
type upstream struct {
	scheme string
	hosts  []string // HOST:PORT, in the order in which they are tried
}

// parseURL parses SCHEME://HOST:PORT[,HOST:PORT...]. Its errors quote only the
// part at fault, for a URL can hold secrets.
func parseURL(s string) (upstream, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return upstream{}, fmt.Errorf("upstream URL: no scheme; expected SCHEME://HOST:PORT, such as fg://localhost:4150")
	}
	switch scheme {
	case "fg", "tcp":
	default:
		return upstream{}, fmt.Errorf("upstream URL: scheme %q is not one of fg, tcp", scheme)
	}
	u := upstream{scheme: scheme}
	if i := strings.IndexAny(rest, "/?#@"); i >= 0 {
		return u, fmt.Errorf("upstream URL: %s:// takes HOST:PORT only, without %q", scheme, rest[i:i+1])
	}
	for _, hostport := range strings.Split(rest, ",") {
		host, port, err := net.SplitHostPort(hostport)
		if err != nil {
			return u, fmt.Errorf("upstream URL: %q is not HOST:PORT", hostport)
		}
		if host == "" {
			return u, fmt.Errorf("upstream URL: %q has no host", hostport)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return u, fmt.Errorf("upstream URL: port %q of %q is not 1 to 65535", port, hostport)
		}
		u.hosts = append(u.hosts, hostport)
	}
	return u, nil
}

// protocol makes the scheme's protocol from the configuration.
func (u upstream) protocol(c *Config) (wire.Protocol, error) {
	if u.scheme == "fg" {
		for _, f := range []struct{ name, value string }{
			{"--frame", c.Frame}, {"--hello", c.Hello}, {"--ack-template", c.AckTemplate},
			{"--heartbeat-template", c.HeartbeatTemplate}, {"--ignore-prefix", c.IgnorePrefix},
		} {
			if f.value != "" {
				return nil, fmt.Errorf("%s: fg:// has its own framing and acks; it goes with tcp://", f.name)
			}
		}
		return fg1.New(fg1.Config{MaxMessage: c.MaxMessage, Heartbeat: c.Heartbeat}), nil
	}
	if c.Frame == "" {
		return nil, fmt.Errorf("--frame: tcp:// needs one of line, delim:HEX, length:..., varint")
	}
	return stream.New(stream.Config{
		Frame: c.Frame, Hello: c.Hello, AckTemplate: c.AckTemplate,
		HeartbeatTemplate: c.HeartbeatTemplate, IgnorePrefix: c.IgnorePrefix,
		Heartbeat: c.Heartbeat, MaxMessage: c.MaxMessage,
	})
}
