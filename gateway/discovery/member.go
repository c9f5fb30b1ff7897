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
func (f *Group) reconcile(ctx context.Context, servers []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = true
	listed := make(map[string]bool, len(servers))
	for _, addr := range servers {
		listed[addr] = true
		// One that is still leaving is left to the next poll.
		if m := f.members[addr]; m == nil || m.state == failed {
			f.start(ctx, addr)
		}
	}
	for addr, m := range f.members {
		switch {
		case listed[addr]:
		case m.state == failed:
			delete(f.members, addr)
		case m.state == running && !m.gw.Stats().Connected.Load():
			f.set.model.Log.Info(f.set.find.Finds+" is gone", "upstream", m.gw.Label())
			m.state = leaving
			m.cancel()
		}
	}
	f.shareOut()
}

// settled reports whether there is nothing that another poll may soon change: servers were
// found, each has its gateway, and every gateway is connected. One that has failed for good
// is not tried sooner. Any goroutine may ask.
func (f *Group) settled(found []string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, addr := range found {
		if m := f.members[addr]; m == nil || m.state == leaving {
			return false
		}
	}
	for _, m := range f.members {
		if m.state == running && !m.gw.Stats().Connected.Load() {
			return false
		}
	}
	return len(found) > 0
}

// start runs a gateway for a server.
func (f *Group) start(ctx context.Context, addr string) {
	m := &member{addr: addr}
	cfg := f.set.model
	cfg.Hosts, cfg.URL = []string{addr}, f.set.urlOf(addr)
	cfg.Label = gateway.Label(cfg.URL) + f.set.mark
	var err error
	if m.gw, err = gateway.New(cfg); err != nil {
		// Nothing but the host differs from what was checked, and the finder has checked that.
		panic(fmt.Sprintf("discovery: %v", err))
	}
	if f.aborted {
		m.gw.Abort()
	}
	cfg.Log.Info(f.set.find.Finds+" found", "upstream", cfg.Label)
	f.members[addr] = m
	ctx, m.cancel = context.WithCancel(ctx)
	go func() {
		err := m.gw.Run(ctx)
		m.cancel()
		f.mu.Lock()
		m.err = err
		f.mu.Unlock()
		f.ended <- m
	}()
}

// memberEnded takes note of the end of m.
func (f *Group) memberEnded(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.set.model.Log.With("upstream", m.gw.Label())
	f.reached = f.reached || m.gw.Stats().Logins.Load() > 0
	f.totals = f.totals.Plus(m.gw.Stats().Totals())
	switch {
	case m.err == nil:
		log.Info("done", m.gw.Stats().Totals().Attrs()...)
		delete(f.members, m.addr)
	case m.state == leaving && errors.Is(m.err, gateway.ErrUnfinished):
		// Whoever has its messages now delivers them again, as after any lost connection.
		log.Warn("gave up work for an "+f.set.find.Finds+" that is gone", "error", m.err)
		delete(f.members, m.addr)
	default:
		log.Error("failed", "error", m.err)
		m.state = failed
	}
	f.shareOut()
}

// shareOut divides the credit among those that run. f.mu is held.
func (f *Group) shareOut() { f.share.among(f.count(running)) }

// count is how many members are in a state. f.mu is held.
func (f *Group) count(state memberState) int {
	n := 0
	for _, m := range f.members {
		if m.state == state {
			n++
		}
	}
	return n
}

// running is how many gateways have not ended.
func (f *Group) running() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count(running) + f.count(leaving)
}

// allFailed reports whether there are servers, the gateways of all have failed, and none that
// there ever was has logged in: a server that took the secret once may take it again.
func (f *Group) allFailed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.reached && len(f.members) > 0 && f.count(failed) == len(f.members)
}

// err is what became of the gateways, a line for each that has failed.
func (f *Group) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var faults []error
	for _, m := range f.sorted() {
		if m.state == failed {
			faults = append(faults, fmt.Errorf("%s: %w", m.gw.Label(), m.err))
		}
	}
	return errors.Join(faults...)
}
