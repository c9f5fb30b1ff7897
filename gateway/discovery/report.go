package discovery

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"feedgate/gateway"
)

// Gateways returns the gateways of the servers that the group currently knows, by address:
// running and failed ones, not leaving ones. Any goroutine may call it.
func (g *Group) Gateways() []*gateway.Gateway { return g.allBut(leaving) }

// Unended returns the gateways that have not ended, including those that are leaving. Any
// goroutine may call it.
func (g *Group) Unended() []*gateway.Gateway { return g.allBut(failed) }

func (g *Group) allBut(not memberState) []*gateway.Gateway {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*gateway.Gateway
	for _, m := range g.sorted() {
		if m.state != not {
			all = append(all, m.gw)
		}
	}
	return all
}

// Totals returns the totals of all gateways, including those that have ended. Any goroutine may
// call it.
func (g *Group) Totals() gateway.Totals {
	g.mu.Lock()
	defer g.mu.Unlock()
	totals := g.totals
	for _, m := range g.members {
		if m.state != failed {
			totals = totals.Plus(m.gw.Stats().Totals())
		}
	}
	return totals
}

// Ready returns nil once the directory has answered and there is a server, and otherwise an error
// with what is missing. Whether the gateways are connected is in their Stats. Any goroutine may
// call it.
func (g *Group) Ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.answered {
		return fmt.Errorf("%s: no %s has answered", g.settings.label, g.settings.discovery.Source)
	}
	if g.count(running)+g.count(failed) == 0 {
		return fmt.Errorf("%s: %s", g.settings.label, g.discoverer.NoServers())
	}
	return nil
}

// sorted returns the members by address. g.mu must be held.
func (g *Group) sorted() []*member {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *member) int { return cmp.Compare(a.addr, b.addr) })
}
