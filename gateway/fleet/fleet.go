// Package fleet runs a gateway for each nsqd that has a topic. The nsqds are found, and
// found to be gone, by asking nsqlookupds again and again.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/nsqlookup"
)

// Config sets a fleet up.
type Config struct {
	// Gateway is what the gateways have in common. URL is nsq:///TOPIC/CHANNEL, or
	// nsq+tls:///TOPIC/CHANNEL. InFlight is the RDY count of all of them together. Workers,
	// Memory and the rest are each gateway's own. Label is the fleet's. ExitOnClose means nothing: an nsqd that
	// closes does not end a fleet.
	Gateway gateway.Config

	Lookupd []string // addresses of nsqlookupds

	// Interval is the longest time between two polls; up to 30% less, so that many processes
	// do not ask at the same time. While there is no nsqd, or one is not connected, it is at
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
	name  name
	model gateway.Config // with its defaults filled in, but for the host in URL and Label
	label string         // of the fleet
	mark  string         // what tells it from another fleet's of the same name, such as #2
}

func (c *Config) validate() (settings, error) {
	name, err := parseName(c.Gateway.URL)
	if err != nil {
		return settings{}, err
	}
	if c.Interval == 0 {
		c.Interval = time.Minute
	}
	s := settings{name: name, model: c.Gateway, label: c.Gateway.Label}
	short := gateway.Label(c.Gateway.URL)
	if s.label == "" {
		s.label = short
	}
	s.mark = strings.TrimPrefix(s.label, short)
	s.model.ExitOnClose = false
	s.model.URL = name.url("nsqd:4150") // any will do
	faults := []error{s.model.Validate(), nsqlookup.CheckAddrs(c.Lookupd)}
	if len(c.Lookupd) == 0 {
		faults = append(faults, fmt.Errorf("--nsqlookupd: %s:///TOPIC/CHANNEL needs it, to find the servers", name.scheme))
	}
	c.Gateway = s.model
	c.Gateway.URL, c.Gateway.Label = name.url(""), s.label
	return s, errors.Join(faults...)
}

// Fleet is one topic and channel, and the gateways of the nsqds that have it.
//
// A gateway is started when an nsqd is found. It is ended, by a drain, when the nsqd is no
// longer listed and not connected; one that is connected is kept, for an nsqlookupd that
// was started anew knows no nsqds at first. A gateway that has failed for good is started
// anew by the next poll that lists its nsqd. When all have failed, or the sink has, so has
// the fleet.
//
// New checks the configuration; Run does everything else and ends with all gateways and
// goroutines stopped.
type Fleet struct {
	cfg    Config
	set    settings
	lookup *nsqlookup.Lookup // of the poll's goroutine
	share  share
	ended  chan *member // each once, from its own goroutine to Run's

	mu      sync.Mutex         // Run's goroutine writes, any reads
	members map[string]*member // by HOST:PORT
	asked   bool               // an nsqlookupd has answered
	reached bool               // a gateway that has ended had logged in
	aborted bool
	totals  gateway.Totals // of gateways that have ended
}

// New validates cfg and makes a fleet; nothing is asked or connected yet. Its error is a
// usage error.
func New(cfg Config) (*Fleet, error) {
	set, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	lookup, err := nsqlookup.New(nsqlookup.Config{
		Addrs: cfg.Lookupd, Topic: set.name.topic, Timeout: set.model.ConnectTimeout,
		Log: set.model.Log.With("upstream", set.label),
	})
	if err != nil {
		return nil, err
	}
	f := &Fleet{cfg: cfg, set: set, lookup: lookup, ended: make(chan *member), members: make(map[string]*member)}
	f.share.total = set.model.InFlight
	f.set.model.Ready = f.share.ready
	return f, nil
}

// URL is the fleet's as configured.
func (f *Fleet) URL() string { return f.cfg.Gateway.URL }

// Workers is the number of workers of each of its gateways.
func (f *Fleet) Workers() int { return f.set.model.Workers }

// Abort ends the drains of all gateways at once.
func (f *Fleet) Abort() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aborted = true
	for _, m := range f.members {
		m.gw.Abort()
	}
}

// Run polls and runs gateways until ctx is cancelled; all are then drained. It ends sooner
// when the sink fails, or all gateways have. It returns an error for each nsqd whose last
// gateway has failed; nsqds that are no longer listed do not count. It may be called once.
func (f *Fleet) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := make(chan []string)
	var polling sync.WaitGroup
	polling.Go(func() { f.poll(ctx, found) })
	sink := f.set.model.Sink
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sink.Failed():
			cancel()
		case nsqds := <-found:
			f.reconcile(ctx, nsqds)
		case m := <-f.ended:
			if f.memberEnded(m); f.hopeless() {
				cancel()
			}
		}
	}
	polling.Wait()
	for f.running() > 0 {
		f.memberEnded(<-f.ended)
	}
	err := f.err()
	if err == nil && sink.Err() != nil {
		err = fmt.Errorf("%s: --sink: %w", f.set.label, sink.Err())
		f.set.model.Log.Error("failed", "upstream", f.set.label, "error", err)
	}
	return err
}
