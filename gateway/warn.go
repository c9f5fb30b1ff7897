package gateway

import (
	"net"
	"strings"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire/template"
)

// warn logs settings that are valid but may not do what their user expects.
func (g *Gateway) warn() {
	c, u := &g.cfg, g.set.upstream
	if c.State != nil && !g.set.traits.Sequenced {
		c.Log.Warn("--state keeps nothing of this upstream, whose protocol has no sessions")
	}
	if c.AckInterval != defaultAckInterval && g.set.ack != delivery.Cumulative {
		c.Log.Warn("--ack-interval has no effect without --ack range")
	}
	if c.RetryMin != defaultRetryMin && c.Retries == 0 && u.kind != "nsq" {
		c.Log.Warn("--retry-min has no effect without --retries")
	}
	g.warnIDs()
	switch {
	case c.Token == nil:
	case u.onlyFramed() && !c.helloHasToken():
		c.Log.Warn("the secret of --token-file is not sent, as --hello has no {token}")
	case !u.tls && u.leavesHost():
		c.Log.Warn("the login is sent unencrypted to another machine", "encrypted_scheme", u.secureScheme())
	}
}

// warnIDs logs ids that nobody reads, and such as are always empty.
func (g *Gateway) warnIDs() {
	c, meta := &g.cfg, g.set.traits.Meta
	quoted := g.set.output != nil && g.set.output.HasID()
	if ack, err := template.Parse(c.AckTemplate, template.Ack); err == nil {
		quoted = quoted || ack.HasID()
	}
	switch {
	case c.ID != "" && c.DataOnly && !quoted:
		c.Log.Warn("--id has no effect: neither the sink nor a template has ids; see {id} and ?frame=json")
	case c.ID == "" && quoted && (meta == nil || meta.AppendID == nil):
		c.Log.Warn("{id} is empty, as this protocol has no ids; see --id")
	}
}

// onlyFramed reports whether the protocol is but a framing, without a login of its own.
func (u upstream) onlyFramed() bool { return u.kind == "tcp" || u.kind == "ws" }

// leavesHost reports whether one of the hosts is another machine, as far as its name shows.
func (u upstream) leavesHost() bool {
	for _, hostport := range u.hosts {
		host, _, err := net.SplitHostPort(hostport)
		if err != nil {
			return true
		}
		address, _, _ := strings.Cut(host, "%")
		if ip := net.ParseIP(address); !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}
