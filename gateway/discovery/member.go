package discovery

import (
	"context"
	"errors"
	"fmt"

	"feedgate/gateway"
)

// member is the current or last gateway of one server. Group.mu guards the fields that change.
type member struct {
	addr   string // HOST:PORT
	gw     *gateway.Gateway
	cancel context.CancelFunc // drains it

	state memberState
	err   error // of Run, if failed
}

type memberState uint8

const (
	running memberState = iota
	leaving             // no longer listed; it drains
	failed              // permanently
)

// reconcile adapts the members to the servers that a poll has found.
func (g *Group) reconcile(ctx context.Context, servers []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered = true
	listed := make(map[string]bool, len(servers))
	for _, addr := range servers {
		listed[addr] = true
		// The next poll handles one that is still leaving.
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
			g.settings.base.Log.Info(g.settings.discovery.Server+" removed", "upstream", m.gw.Label())
			m.state = leaving
			m.cancel()
		}
	}
	g.updateShares()
}

// stable reports whether no poll is needed soon: servers were found, each has its gateway, and
// every gateway is connected or has failed permanently. Any goroutine may call it.
func (g *Group) stable(found []string) bool {
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
	cfg := g.settings.base
	cfg.Hosts, cfg.URL = []string{addr}, g.settings.urlOf(addr)
	cfg.Label = gateway.Label(cfg.URL) + g.settings.suffix
	var err error
	if m.gw, err = gateway.New(cfg); err != nil {
		// Only the host differs from the checked settings, and the Discoverer has checked it.
		panic(fmt.Sprintf("discovery: %v", err))
	}
	if g.aborted {
		m.gw.Abort()
	}
	cfg.Log.Info(g.settings.discovery.Server+" found", "upstream", cfg.Label)
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

// memberEnded handles the end of m.
func (g *Group) memberEnded(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	log := g.settings.base.Log.With("upstream", m.gw.Label())
	g.everLoggedIn = g.everLoggedIn || m.gw.Stats().Logins.Load() > 0
	g.totals = g.totals.Plus(m.gw.Stats().Totals())
	switch {
	case m.err == nil:
		log.Info("done", m.gw.Stats().Totals().Attrs()...)
		delete(g.members, m.addr)
	case m.state == leaving && errors.Is(m.err, gateway.ErrUnfinished):
		// Its messages are redelivered, as after any lost connection.
		log.Warn(g.settings.discovery.Server+" removed with messages unfinished", "error", gateway.ByFlag(m.err))
		delete(g.members, m.addr)
	default:
		log.Error("failed", "error", gateway.ByFlag(m.err))
		m.state = failed
	}
	g.updateShares()
}

// updateShares divides the credit among the running gateways. g.mu must be held.
func (g *Group) updateShares() { g.share.divide(g.count(running)) }

// count returns the number of members in a state. g.mu must be held.
func (g *Group) count(state memberState) int {
	n := 0
	for _, m := range g.members {
		if m.state == state {
			n++
		}
	}
	return n
}

// running returns the number of gateways that have not ended.
func (g *Group) running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count(running) + g.count(leaving)
}

// allFailed reports whether every gateway has failed and none has ever logged in. A server that
// accepted the secret once may accept it again.
func (g *Group) allFailed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.everLoggedIn && len(g.members) > 0 && g.count(failed) == len(g.members)
}

// err returns an error for each gateway that has failed.
func (g *Group) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var faults []error
	for _, m := range g.sorted() {
		if m.state == failed {
			faults = append(faults, fmt.Errorf("%s: %w", m.gw.Label(), gateway.ByFlag(m.err)))
		}
	}
	return errors.Join(faults...)
}
