package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func addrPorts(list string) (all []netip.AddrPort) {
	for _, s := range strings.Fields(list) {
		all = append(all, netip.MustParseAddrPort(s))
	}
	return all
}

func TestInterleave(t *testing.T) {
	for _, c := range []struct{ addrs, worked, want string }{
		{"1.0.0.1:1 1.0.0.2:1 [::1]:1 [::2]:1", "", "[::1]:1 1.0.0.1:1 [::2]:1 1.0.0.2:1"},
		{"[::1]:1 [::2]:1 [::3]:1 1.0.0.1:1", "", "[::1]:1 1.0.0.1:1 [::2]:1 [::3]:1"},
		{"1.0.0.1:1 1.0.0.2:1 [::1]:1 [::2]:1", "1.0.0.2:1", "1.0.0.2:1 [::1]:1 1.0.0.1:1 [::2]:1"},
		{"1.0.0.1:1 1.0.0.2:1 [::1]:1 [::2]:1", "[::2]:1", "[::2]:1 1.0.0.1:1 [::1]:1 1.0.0.2:1"},
		{"1.0.0.1:1", "[::2]:1", "1.0.0.1:1"},
		{"", "", ""},
	} {
		var worked netip.AddrPort
		if c.worked != "" {
			worked = netip.MustParseAddrPort(c.worked)
		}
		if got := interleave(addrPorts(c.addrs), worked); !slices.Equal(got, addrPorts(c.want)) {
			t.Errorf("%s, %q worked: %v, want %s", c.addrs, c.worked, got, c.want)
		}
	}
}

// testAddresses has host A with two addresses and host B with one.
type testAddresses struct {
	addresses
	names map[string]target
}

func newTestAddresses() *testAddresses {
	b := &testAddresses{addresses: newAddresses([]string{"a:1", "b:1"}), names: map[string]target{}}
	for i, x := range addrPorts("1.0.0.1:1 1.0.0.2:1") {
		b.names[fmt.Sprint("A", i+1)] = target{0, x}
	}
	b.names["B"] = target{1, netip.MustParseAddrPort("2.0.0.1:1")}
	return b
}

// tryRound runs a round in which only last can be reached. It returns the addresses in the order
// in which they were tried.
func (b *testAddresses) tryRound(last string) string {
	b.begin()
	var order []string
	first, n := b.first, len(b.hosts)
	for i := range 2 * n {
		host := (first + i) % n
		if i < n {
			b.found(host, map[int][]netip.AddrPort{0: addrPorts("1.0.0.1:1 1.0.0.2:1"), 1: addrPorts("2.0.0.1:1")}[host])
		}
		for _, addr := range b.pick(host, i >= n) {
			name := ""
			for k, t := range b.names {
				if t.addr == addr {
					name = k
				}
			}
			if order = append(order, name); name == last {
				return strings.Join(order, " ")
			}
			b.fail(target{host, addr})
		}
	}
	return strings.Join(order, " ")
}

// TestRounds: the next dial starts after the address that failed, also within a name, or with the
// one that last worked.
func TestRounds(t *testing.T) {
	b := newTestAddresses()
	want := func(last, order string) {
		t.Helper()
		if got := b.tryRound(last); got != order {
			t.Errorf("tried %s, want %s", got, order)
		}
	}
	// A proxy at each address accepts and closes: they are tried in turn, again and again.
	want("A1", "A1")
	b.fail(b.names["A1"])
	if !b.untried() {
		t.Error("A2 and B are untried")
	}
	want("A2", "A2")
	b.fail(b.names["A2"])
	want("B", "B")
	b.fail(b.names["B"])
	if b.untried() {
		t.Error("all have failed")
	}
	want("A1", "A1")
	b.fail(b.names["A1"])
	// Addresses that cannot be reached are skipped. At the end of a round, those that had failed
	// before it are tried once more.
	want("A1", "A2 B A1")
	b.fail(b.names["A1"])
	// Once all have failed, all are tried again, starting with the host after the last one.
	want("", "B A1 A2")
	want("", "B A1 A2")
	want("A1", "B A1")
	b.fail(b.names["A1"])
	want("A2", "A2")
	b.work(b.names["B"])
	want("B", "B")
	b.work(b.names["B"])
	want("B", "B")
	want("", "B A1 A2")
	want("A2", "B A1 A2")
	b.work(b.names["A2"])
	want("", "A2 A1 B")
}

// TestNewAddresses: each round looks up names again, and addresses that a name keeps also keep
// their failures.
func TestNewAddresses(t *testing.T) {
	b := newAddresses([]string{"a:1"})
	b.begin()
	b.found(0, addrPorts("1.0.0.1:1 1.0.0.2:1"))
	b.fail(target{0, netip.MustParseAddrPort("1.0.0.1:1")})
	b.begin()
	b.found(0, addrPorts("1.0.0.3:1 1.0.0.1:1"))
	if got := b.pick(0, false); !slices.Equal(got, addrPorts("1.0.0.3:1")) {
		t.Errorf("untried: %v", got)
	}
	if got := b.pick(0, true); !slices.Equal(got, addrPorts("1.0.0.1:1")) {
		t.Errorf("tried before: %v", got)
	}
	b.notFound(0)
	if b.untried() {
		t.Error("a name that cannot be looked up counts as untried")
	}
	if b.begin(); !b.untried() {
		t.Error("it is not looked up again")
	}
}
