package discovery

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"feedgate/gateway"
)

// Gateways are those of the servers that the group knows at the moment, in order: those that
// run and those that have failed, not those that leave. Any goroutine may ask.
func (g *Group) Gateways() []*gateway.Gateway { return g.allBut(leaving) }

// Unended are the gateways that have not ended, also those of servers that leave. Any
// goroutine may ask.
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

// Totals are what all gateways have done, those that have ended too. Any goroutine may
// ask.
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

// Ready is nil when there was an answer and there is a server, else it says what is
// missing. Whether the gateways are connected their Stats tell. Any goroutine may ask.
func (g *Group) Ready() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.asked {
		return fmt.Errorf("%s: no %s has answered", g.set.label, g.set.find.Source)
	}
	if g.count(running)+g.count(failed) == 0 {
		return fmt.Errorf("%s: %s", g.set.label, g.finder.NoServers())
	}
	return nil
}

// sorted are the members by address. g.mu is held.
func (g *Group) sorted() []*member {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *member) int { return cmp.Compare(a.addr, b.addr) })
}
