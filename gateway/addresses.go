package gateway

import (
	"net/netip"
	"slices"
)

// addresses holds the hosts of the upstream URL, the addresses that the last lookup of each
// returned, and which of them have failed since one last worked. The dialer owns it.
//
// A round is one dial: it first tries the addresses that have not failed, starting with host first,
// then those that had failed before the round.
type addresses struct {
	hosts  []upstreamHost
	first  int            // index of the host that the next round starts with
	worked netip.AddrPort // the address that last worked; zero: none has
	round  int            // number of the last round, from 1: 0 means none
}

// upstreamHost is one HOST:PORT of the URL.
type upstreamHost struct {
	hostport string
	addrs    []address // nil: not looked up, or the lookup failed
	failed   int       // round in which the lookup failed; 0: none
}

// address is one address of a host.
type address struct {
	netip.AddrPort
	failed int // round in which it failed; 0: none
}

// target is an address and its host.
type target struct {
	host int // index in addresses.hosts
	addr netip.AddrPort
}

func newAddresses(hostports []string) addresses {
	a := addresses{round: 1}
	for _, hostport := range hostports {
		a.hosts = append(a.hosts, upstreamHost{hostport: hostport})
	}
	return a
}

// untried reports whether any host or address has not failed since one last worked.
func (a *addresses) untried() bool {
	return slices.ContainsFunc(a.hosts, upstreamHost.untried)
}

func (h upstreamHost) untried() bool {
	if h.addrs == nil {
		return h.failed == 0
	}
	return slices.ContainsFunc(h.addrs, func(x address) bool { return x.failed == 0 })
}

// begin begins a round. If everything has failed, it clears all failures first.
func (a *addresses) begin() {
	a.round++
	if !a.untried() {
		a.forgive()
	}
}

// forgive clears all failures.
func (a *addresses) forgive() {
	for i := range a.hosts {
		h := &a.hosts[i]
		h.failed = 0
		for j := range h.addrs {
			h.addrs[j].failed = 0
		}
	}
}

// found records the result of a lookup of the host. An address that was known before keeps its
// failure.
func (a *addresses) found(host int, addrs []netip.AddrPort) {
	h := &a.hosts[host]
	old := h.addrs
	h.addrs, h.failed = make([]address, 0, len(addrs)), 0
	for _, addr := range addrs {
		x := address{AddrPort: addr}
		if i := slices.IndexFunc(old, func(o address) bool { return o.AddrPort == addr }); i >= 0 {
			x.failed = old[i].failed
		}
		h.addrs = append(h.addrs, x)
	}
}

// notFound records that the lookup of the host failed.
func (a *addresses) notFound(host int) {
	a.hosts[host].addrs, a.hosts[host].failed = nil, a.round
	a.moveOn(host)
}

// pick returns, in racing order, the addresses of the host that have not failed or, if again is set,
// those that had failed before this round.
func (a *addresses) pick(host int, again bool) []netip.AddrPort {
	var some []netip.AddrPort
	for _, x := range a.hosts[host].addrs {
		if again && x.failed != 0 && x.failed != a.round || !again && x.failed == 0 {
			some = append(some, x.AddrPort)
		}
	}
	return interleave(some, a.worked)
}

// fail records that the address has failed. The next round starts after it.
func (a *addresses) fail(t target) {
	h := &a.hosts[t.host]
	i := slices.IndexFunc(h.addrs, func(x address) bool { return x.AddrPort == t.addr })
	if i < 0 {
		h.addrs = append(h.addrs, address{AddrPort: t.addr})
		i = len(h.addrs) - 1
	}
	h.addrs[i].failed = a.round
	a.moveOn(t.host)
}

// moveOn makes the next round start with the host or, if all of it has failed, with the next host.
func (a *addresses) moveOn(host int) {
	if a.first = host; !a.hosts[host].untried() {
		a.first = (host + 1) % len(a.hosts)
	}
}

// work records that the address has worked. The next round starts with it.
func (a *addresses) work(t target) {
	a.forgive()
	a.first, a.worked = t.host, t.addr
}

// interleave orders addresses as in RFC 8305, section 4: the one that last worked, then the families
// alternately, IPv6 first. Within a family it keeps the resolver's order.
func interleave(addrs []netip.AddrPort, worked netip.AddrPort) []netip.AddrPort {
	var v6, v4, sorted []netip.AddrPort
	for _, addr := range addrs {
		switch {
		case addr == worked:
			sorted = append(sorted, addr)
		case addr.Addr().Is4():
			v4 = append(v4, addr)
		default:
			v6 = append(v6, addr)
		}
	}
	next, other := &v6, &v4
	if len(sorted) > 0 && !worked.Addr().Is4() {
		next, other = other, next
	}
	for len(v6)+len(v4) > 0 {
		if len(*next) > 0 {
			sorted = append(sorted, (*next)[0])
			*next = (*next)[1:]
		}
		next, other = other, next
	}
	return sorted
}
