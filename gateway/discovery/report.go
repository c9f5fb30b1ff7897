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
func (f *Group) Gateways() []*gateway.Gateway {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*gateway.Gateway
	for _, m := range f.sorted() {
		if m.state != leaving {
			all = append(all, m.gw)
		}
	}
	return all
}

// Totals are what all gateways have done, those that have ended too. Any goroutine may
// ask.
func (f *Group) Totals() gateway.Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	totals := f.totals
	for _, m := range f.members {
		if m.state != failed {
			totals = totals.Plus(m.gw.Stats().Totals())
		}
	}
	return totals
}

// Ready is nil when there was an answer and there is a server, else it says what is
// missing. Whether the gateways are connected their Stats tell. Any goroutine may ask.
func (f *Group) Ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.asked {
		return fmt.Errorf("%s: no %s has answered", f.set.label, f.set.find.Asks)
	}
	if f.count(running)+f.count(failed) == 0 {
		return fmt.Errorf("%s: %s", f.set.label, f.finder.None())
	}
	return nil
}

// sorted are the members by address. f.mu is held.
func (f *Group) sorted() []*member {
	return slices.SortedFunc(maps.Values(f.members), func(a, b *member) int { return cmp.Compare(a.addr, b.addr) })
}
