package discovery

import (
	"context"
	"errors"
	"fmt"

	"feedgate/gateway"
)

// member is the last gateway of one server. Its fields are guarded by Group.mu, but for
// those that never change.
type member struct {
	addr   string // HOST:PORT
	gw     *gateway.Gateway
	cancel context.CancelFunc // drains it

	state memberState
	err   error // of Run; with failed
}

type memberState uint8

const (
	running memberState = iota
	leaving             // no longer listed; it drains
	failed              // for good
)

// reconcile makes the members those that a poll has found.
func (g *Group) reconcile(ctx context.Context, servers []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = true
	listed := make(map[string]bool, len(servers))
	for _, addr := range servers {
		listed[addr] = true
		// One that is still leaving is left to the next poll.
		if m := g.members[addr]; m == nil || m.state == failed {
			g.start(ctx, addr)
		}
	}
	for addr, m := range g.members {
		switch {
		case listed[addr]:
		case m.state == failed:
			delete(g.members, addr)
		case m.state == running && !m.gw.Stats().Connected.Load():
			g.set.model.Log.Info(g.set.find.Server+" is gone", "upstream", m.gw.Label())
			m.state = leaving
			m.cancel()
		}
	}
	g.shareOut()
}

// settled reports whether there is nothing that another poll may soon change: servers were
// found, each has its gateway, and every gateway is connected. One that has failed for good
// is not tried sooner. Any goroutine may ask.
func (g *Group) settled(found []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, addr := range found {
		if m := g.members[addr]; m == nil || m.state == leaving {
			return false
		}
	}
	for _, m := range g.members {
		if m.state == running && !m.gw.Stats().Connected.Load() {
			return false
		}
	}
	return len(found) > 0
}

// start runs a gateway for a server.
func (g *Group) start(ctx context.Context, addr string) {
	m := &member{addr: addr}
	cfg := g.set.model
	cfg.Hosts, cfg.URL = []string{addr}, g.set.urlOf(addr)
	cfg.Label = gateway.Label(cfg.URL) + g.set.mark
	var err error
	if m.gw, err = gateway.New(cfg); err != nil {
		// Nothing but the host differs from what was checked, and the finder has checked that.
		panic(fmt.Sprintf("discovery: %v", err))
	}
	if g.aborted {
		m.gw.Abort()
	}
	cfg.Log.Info(g.set.find.Server+" found", "upstream", cfg.Label)
	g.members[addr] = m
	ctx, m.cancel = context.WithCancel(ctx)
	go func() {
		err := m.gw.Run(ctx)
		m.cancel()
		g.mu.Lock()
		m.err = err
		g.mu.Unlock()
		g.ended <- m
	}()
}

// memberEnded takes note of the end of m.
func (g *Group) memberEnded(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	log := g.set.model.Log.With("upstream", m.gw.Label())
	g.reached = g.reached || m.gw.Stats().Logins.Load() > 0
	g.totals = g.totals.Plus(m.gw.Stats().Totals())
	switch {
	case m.err == nil:
		log.Info("done", m.gw.Stats().Totals().Attrs()...)
		delete(g.members, m.addr)
	case m.state == leaving && errors.Is(m.err, gateway.ErrUnfinished):
		// Whoever has its messages now delivers them again, as after any lost connection.
		log.Warn("gave up work, as the "+g.set.find.Server+" is gone", "error", m.err)
		delete(g.members, m.addr)
	default:
		log.Error("failed", "error", m.err)
		m.state = failed
	}
	g.shareOut()
}

// shareOut divides the credit among those that run. g.mu is held.
func (g *Group) shareOut() { g.share.among(g.count(running)) }

// count is how many members are in a state. g.mu is held.
func (g *Group) count(state memberState) int {
	n := 0
	for _, m := range g.members {
		if m.state == state {
			n++
		}
	}
	return n
}

// running is how many gateways have not ended.
func (g *Group) running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count(running) + g.count(leaving)
}

// allFailed reports whether there are servers, the gateways of all have failed, and none that
// there ever was has logged in: a server that took the secret once may take it again.
func (g *Group) allFailed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.reached && len(g.members) > 0 && g.count(failed) == len(g.members)
}

// err is what became of the gateways, a line for each that has failed.
func (g *Group) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var faults []error
	for _, m := range g.sorted() {
		if m.state == failed {
			faults = append(faults, fmt.Errorf("%s: %w", m.gw.Label(), m.err))
		}
	}
	return errors.Join(faults...)
}
