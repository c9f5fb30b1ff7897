// Package discovery runs a gateway for each server of an upstream whose servers are found by
// polling a directory.
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

// Config configures a group.
type Config struct {
	// Gateway is what the gateways have in common. Its URL, SCHEME:///TARGET, and its Label are
	// the group's; it has no Hosts. InFlight is shared by all gateways. Workers, Memory and the
	// rest apply to each gateway. ExitOnClose has no effect: a server that closes does not end a
	// group.
	Gateway gateway.Config

	// Discover makes the Discoverer, which polls the directory.
	Discover func(wire.DiscoveryConfig) (wire.Discoverer, error)

	// Interval is the longest time between two polls; it varies by up to 30%, so that many
	// processes do not poll at the same time. While there is no server, or one is not connected,
	// it is at most ReconnectMax. Default 60s.
	Interval time.Duration
}

// Validate fills in the defaults and returns all faults as one error, one line each, which begins
// with the flag.
func (c *Config) Validate() error {
	_, err := c.validate()
	return err
}

// settings is the result of validating a Config.
type settings struct {
	base      gateway.Config  // with defaults; Hosts, URL and Label differ per gateway
	url       string          // of the group
	label     string          // of the group
	suffix    string          // distinguishes labels of groups with the same URL: "#2"
	discovery *wire.Discovery // of the protocol
}

// placeholderHost takes the place of the servers while a group is validated: they are not known yet.
const placeholderHost = "server:1"

func (c *Config) validate() (settings, error) {
	if c.Gateway.Protocol == nil || c.Gateway.Protocol.Scheme().Discovery == nil || c.Discover == nil {
		return settings{}, errors.New("upstream URL: no protocol whose servers can be found")
	}
	if c.Interval == 0 {
		c.Interval = time.Minute
	}
	s := settings{base: c.Gateway, url: c.Gateway.URL, label: c.Gateway.Label, discovery: c.Gateway.Protocol.Scheme().Discovery}
	short := gateway.Label(s.url)
	if s.label == "" {
		s.label = short
	}
	s.suffix = strings.TrimPrefix(s.label, short)
	s.base.ExitOnClose = false
	s.base.Hosts = []string{placeholderHost}
	err := s.base.Validate()
	_, fault := c.Discover(wire.DiscoveryConfig{Timeout: s.base.ConnectTimeout, Log: slog.New(slog.DiscardHandler)})
	c.Gateway = s.base
	c.Gateway.Hosts, c.Gateway.URL, c.Gateway.Label = nil, s.url, s.label
	return s, errors.Join(err, fault)
}

// urlOf returns the URL of one server.
func (s *settings) urlOf(hostport string) string {
	return strings.Replace(s.url, "://", "://"+hostport, 1)
}

// Group is an upstream without a host, and the gateways of its servers.
//
// A gateway is started when a server is found. It is drained when the server is no longer listed
// and not connected. One that is connected is kept, because a restarted directory may know no
// servers at first. A gateway that has failed permanently is restarted by the next poll that
// lists its server. When all gateways have failed, or the sink has, the group has failed.
//
// New checks the configuration; Run does everything else, and returns when all gateways and
// goroutines have stopped.
type Group struct {
	cfg        Config
	settings   settings
	log        *throttle.Handler // of all gateways: servers may appear and disappear many times a second
	discoverer wire.Discoverer   // used by the polling goroutine
	share      share
	ended      chan *member // each member once, from its own goroutine to Run's

	mu           sync.Mutex         // Run's goroutine writes, any reads
	members      map[string]*member // by HOST:PORT
	answered     bool               // the directory has answered
	everLoggedIn bool               // a gateway that has ended was logged in before
	aborted      bool
	totals       gateway.Totals // of gateways that have ended
}

// New validates cfg and makes a group; nothing is polled or connected yet. Its error is a usage
// error.
func New(cfg Config) (*Group, error) {
	settings, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	log := throttle.New(settings.base.Log.Handler())
	settings.base.Log = slog.New(log)
	discoverer, err := cfg.Discover(wire.DiscoveryConfig{
		Timeout: settings.base.ConnectTimeout, Log: settings.base.Log.With("upstream", settings.label),
	})
	if err != nil {
		return nil, err
	}
	g := &Group{cfg: cfg, settings: settings, log: log, discoverer: discoverer, ended: make(chan *member), members: make(map[string]*member)}
	g.share.total = settings.base.InFlight
	g.settings.base.Credit = g.share.credit
	return g, nil
}

// URL returns the configured URL.
func (g *Group) URL() string { return g.settings.url }

// Workers returns the number of workers of each gateway.
func (g *Group) Workers() int { return g.settings.base.Workers }

// Abort ends the drains of all gateways immediately.
func (g *Group) Abort() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.aborted = true
	for _, m := range g.members {
		m.gw.Abort()
	}
}

// Run polls and runs gateways until ctx is cancelled, and then drains them all. It ends earlier
// if the sink or all gateways fail. It returns an error for each server whose last gateway has
// failed; servers that are no longer listed do not count. Call it once.
func (g *Group) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer g.log.End()
	found := make(chan []string)
	var polling sync.WaitGroup
	polling.Go(func() { g.poll(ctx, found) })
	sink := g.settings.base.Sink
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
		err = fmt.Errorf("%s: --sink: %w", g.settings.label, sink.Err())
		g.settings.base.Log.Error("failed", "upstream", g.settings.label, "error", err)
	}
	return err
}
