package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"feedgate/gateway"
)

// Gateways are those of the nsqds that the fleet knows at the moment, in order: those that
// run and those that have failed, not those that leave. Any goroutine may ask.
func (f *Fleet) Gateways() []*gateway.Gateway {
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
func (f *Fleet) Totals() gateway.Totals {
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

// Ready is nil when an nsqlookupd has answered and there is an nsqd, else it says what is
// missing. Whether the gateways are connected their Stats tell. Any goroutine may ask.
func (f *Fleet) Ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.asked {
		return fmt.Errorf("%s: no nsqlookupd has answered", f.set.label)
	}
	if f.count(running)+f.count(failed) == 0 {
		return fmt.Errorf("%s: no nsqd has topic %s", f.set.label, f.set.name.topic)
	}
	return nil
}

// sorted are the members by address. f.mu is held.
func (f *Fleet) sorted() []*member {
	return slices.SortedFunc(maps.Values(f.members), func(a, b *member) int { return cmp.Compare(a.addr, b.addr) })
}
