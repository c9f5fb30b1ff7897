package main

import (
	"log/slog"

	"feedgate/gateway"
)

// describe logs the first line of each upstream: its settings, without those that may be secret.
func (c *runCmd) describe(log *slog.Logger, planned []gateway.Config) {
	for i := range planned {
		log.Info("starting", c.description(&planned[i])...)
	}
}

// description are the settings of an upstream, without those that may be secret, as attributes of a log
// line.
func (c *runCmd) description(p *gateway.Config) []any {
	name, commit := buildVersion()
	attrs := []any{
		"version", name, "commit", commit, "upstream", p.Label, "sink", c.sinkLabel(c.Sink),
		"workers", p.Workers, "dispatch", p.Dispatch, "ack", p.Ack,
		"ring", p.Ring, "in_flight", p.InFlight, "max_message", p.MaxMessage, "memory", p.Memory,
	}
	if p.Key != "" {
		attrs = append(attrs, "key", p.Key)
	}
	if p.ID != "" {
		attrs = append(attrs, "id", p.ID)
	}
	if c.DeadLetter != "" {
		attrs = append(attrs, "dead_letter", c.sinkLabel(c.DeadLetter))
	}
	if c.State != "" {
		attrs = append(attrs, "state", c.State)
	}
	return attrs
}
