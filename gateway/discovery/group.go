// Package discovery runs a gateway for each server of an upstream whose servers are found, and
// found to be gone, by asking again and again.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/internal/throttle"
	"feedgate/gateway/wire"
)

// Config sets a group up.
type Config struct {
	// Gateway is what the gateways have in common. Its URL names the group, SCHEME:///TARGET,
	// and Label is the group's; it has no Hosts. InFlight is the credit of all of them
	// together. Workers, Memory and the rest are each gateway's own. ExitOnClose means
	// nothing: a server that closes does not end a group.
	Gateway gateway.Config

	// Discover makes what finds the servers.
	Discover func(wire.DiscoveryConfig) (wire.Discoverer, error)

	// Interval is the longest time between two polls; up to 30% less, so that many processes
	// do not ask at the same time. While there is no server, or one is not connected, it is at
	// most ReconnectMax. Default 60s.
	Interval time.Duration
}

// Validate fills in the defaults and returns every fault in one error, a line each, by the name of the flag.
func (c *Config) Validate() error {
	_, err := c.validate()
	return err
}

// settings is what Validate makes of a Config.
type settings struct {
	model gateway.Config  // with its defaults filled in, but for Hosts, URL and Label
	url   string          // of the group
	label string          // of the group
	mark  string          // what tells it from another group's of the same name, such as #2
	find  *wire.Discovery // of the protocol
}

// anyHost stands for the servers that are yet to be found.
const anyHost = "server:1"

func (c *Config) validate() (settings, error) {
	if c.Gateway.Protocol == nil || c.Gateway.Protocol.Scheme().Discovery == nil || c.Discover == nil {
		return settings{}, errors.New("upstream URL: no protocol whose servers can be found")
	}
	if c.Interval == 0 {
		c.Interval = time.Minute
	}
	s := settings{model: c.Gateway, url: c.Gateway.URL, label: c.Gateway.Label, find: c.Gateway.Protocol.Scheme().Discovery}
	short := gateway.Label(s.url)
	if s.label == "" {
		s.label = short
	}
	s.mark = strings.TrimPrefix(s.label, short)
	s.model.ExitOnClose = false
	s.model.Hosts = []string{anyHost}
	err := s.model.Validate()
	_, fault := c.Discover(wire.DiscoveryConfig{Timeout: s.model.ConnectTimeout, Log: slog.New(slog.DiscardHandler)})
	c.Gateway = s.model
	c.Gateway.Hosts, c.Gateway.URL, c.Gateway.Label = nil, s.url, s.label
	return s, errors.Join(err, fault)
}

// urlOf is the URL of one server.
func (s *settings) urlOf(hostport string) string {
	return strings.Replace(s.url, "://", "://"+hostport, 1)
}

// Group is an upstream without a host, and the gateways of the servers that it has.
//
// A gateway is started when a server is found. It is ended, by a drain, when the server is no
// longer listed and not connected; one that is connected is kept, because who is asked may have
// been started again and know no servers at first. A gateway that has failed for good is started
// again by the next poll that lists its server. When all have failed, or the sink has, so has
// the group.
//
// New checks the configuration; Run does everything else and ends with all gateways and
// goroutines stopped.
type Group struct {
	cfg    Config
	set    settings
	log    *throttle.Handler // in front of the log of all: servers may come and go many times a second
	finder wire.Discoverer   // of the poll's goroutine
	share  share
	ended  chan *member // each once, from its own goroutine to Run's

	mu      sync.Mutex         // Run's goroutine writes, any reads
	members map[string]*member // by HOST:PORT
	asked   bool               // there was an answer
	reached bool               // a gateway that has ended had logged in
	aborted bool
	totals  gateway.Totals // of gateways that have ended
}

// New validates cfg and makes a group; nothing is asked or connected yet. Its error is a
// usage error.
func New(cfg Config) (*Group, error) {
	set, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	log := throttle.New(set.model.Log.Handler())
	set.model.Log = slog.New(log)
	finder, err := cfg.Discover(wire.DiscoveryConfig{
		Timeout: set.model.ConnectTimeout, Log: set.model.Log.With("upstream", set.label),
	})
	if err != nil {
		return nil, err
	}
	g := &Group{cfg: cfg, set: set, log: log, finder: finder, ended: make(chan *member), members: make(map[string]*member)}
	g.share.total = set.model.InFlight
	g.set.model.Credit = g.share.credit
	return g, nil
}

// URL is the group's as configured.
func (g *Group) URL() string { return g.set.url }

// Workers is the number of workers of each of its gateways.
func (g *Group) Workers() int { return g.set.model.Workers }

// Abort ends the drains of all gateways at once.
func (g *Group) Abort() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.aborted = true
	for _, m := range g.members {
		m.gw.Abort()
	}
}

// Run polls and runs gateways until ctx is cancelled; all are then drained. It ends sooner
// when the sink fails, or all gateways have. It returns an error for each server whose last
// gateway has failed; servers that are no longer listed do not count. It may be called once.
func (g *Group) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer g.log.End()
	found := make(chan []string)
	var polling sync.WaitGroup
	polling.Go(func() { g.poll(ctx, found) })
	sink := g.set.model.Sink
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sink.Failed():
			cancel()
		case servers := <-found:
			g.reconcile(ctx, servers)
		case m := <-g.ended:
			if g.memberEnded(m); g.allFailed() {
				cancel()
			}
		}
	}
	polling.Wait()
	for g.running() > 0 {
		g.memberEnded(<-g.ended)
	}
	err := g.err()
	if err == nil && sink.Err() != nil {
		err = fmt.Errorf("%s: --sink: %w", g.set.label, sink.Err())
		g.set.model.Log.Error("failed", "upstream", g.set.label, "error", err)
	}
	return err
}
