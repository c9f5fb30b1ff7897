package gateway

import (
	"feedgate/gateway/wire"
	"feedgate/worker/credential"
)

// LogWarnings logs settings that are valid but may not have the effect that the user expects, as Run
// does when it begins.
func (g *Gateway) LogWarnings() {
	c, traits := &g.cfg, &g.set.codec.Traits
	if c.State != nil && !traits.Sequenced {
		c.Log.Warn("--state has no effect: the protocol of this upstream has no sessions")
	}
	if c.AckInterval != defaultAckInterval && g.set.ack != wire.AckRange {
		c.Log.Warn("--ack-interval has no effect without --ack range")
	}
	if c.RetryMin != defaultRetryMin && c.Retries == 0 && !traits.Requeues {
		c.Log.Warn("--retry-min has no effect without --retries")
	}
	g.warnIDs()
	switch {
	case c.Token == nil:
	case traits.TokenUnsent != "":
		c.Log.Warn("the secret of --token-file is not sent, " + traits.TokenUnsent)
	case !c.Secure && credential.LeaveHost(c.Hosts):
		c.Log.Warn("the login is sent unencrypted to another machine", "encrypted_scheme", c.Protocol.Scheme().Secure)
	}
}

// warnIDs logs ids that are never read or always empty.
func (g *Gateway) warnIDs() {
	c, meta := &g.cfg, g.set.codec.Meta
	quoted := g.set.output != nil && g.set.output.HasID() || g.set.codec.AcksQuoteID
	switch {
	case c.ID != "" && c.DataOnly && !quoted:
		c.Log.Warn("--id has no effect: neither the sink nor a template uses ids; see {id} and ?frame=json")
	case c.ID == "" && quoted && (meta == nil || meta.AppendID == nil):
		c.Log.Warn("{id} is empty: this protocol has no ids; see --id")
	}
}
