package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeNet is a network in a synctest bubble, with a delayed answer for each address and each
// lookup.
type fakeNet struct {
	mu      sync.Mutex
	started time.Time
	log     []string // start and address of each connect
	open    int      // open connections
	hosts   map[string]fakeAnswer
	addrs   map[string]fakeAnswer
	stuck   bool // connects ignore their context
}

type fakeAnswer struct {
	after time.Duration
	err   error // of an address; nil: it connects
	addrs string
}

var errRefused = errors.New("refused")

type fakeConn struct {
	net.Conn
	n    *fakeNet
	addr netip.AddrPort
}

func (c fakeConn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.n.open--
	return nil
}

func (n *fakeNet) wait(ctx context.Context, d time.Duration) error {
	if n.stuck {
		ctx = context.Background()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *fakeNet) network() network {
	n.started = time.Now()
	return network{
		connect: func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
			n.mu.Lock()
			n.log = append(n.log, time.Since(n.started).String()+" "+addr.Addr().String())
			n.mu.Unlock()
			a := n.addrs[addr.Addr().String()]
			if err := n.wait(ctx, a.after); err != nil {
				return nil, err
			}
			if a.err != nil {
				return nil, a.err
			}
			n.mu.Lock()
			n.open++
			n.mu.Unlock()
			return fakeConn{n: n, addr: addr}, nil
		},
		lookup: func(ctx context.Context, family, host string) (all []netip.Addr, err error) {
			a := n.hosts[family+" "+host]
			if err := n.wait(ctx, a.after); err != nil {
				return nil, err
			}
			for _, addr := range addrPorts(a.addrs) {
				all = append(all, addr.Addr())
			}
			return all, a.err
		},
	}
}

// TestRace tests RFC 8305, section 5. It fails if a goroutine outlives its bubble.
func TestRace(t *testing.T) {
	const hole = time.Hour // an address that never answers
	addrs := addrPorts("[::1]:1 1.0.0.1:1 [::2]:1")
	for _, c := range []struct {
		name   string
		addrs  map[string]fakeAnswer
		stuck  bool
		won    string
		took   time.Duration
		failed int
		log    []string
	}{
		{name: "the first is quick", won: "::1", log: []string{"0s ::1"}},
		{name: "the first is dead", addrs: map[string]fakeAnswer{"::1": {after: hole}},
			won: "1.0.0.1", took: attemptDelay, log: []string{"0s ::1", "250ms 1.0.0.1"}},
		{name: "the first is refused", addrs: map[string]fakeAnswer{"::1": {err: errRefused}},
			won: "1.0.0.1", failed: 1, log: []string{"0s ::1", "0s 1.0.0.1"}},
		{name: "the second is refused while the first is slow",
			addrs: map[string]fakeAnswer{"::1": {after: hole}, "1.0.0.1": {after: 10 * time.Millisecond, err: errRefused}},
			won:   "::2", took: 260 * time.Millisecond, failed: 1, log: []string{"0s ::1", "250ms 1.0.0.1", "260ms ::2"}},
		{name: "the first wins behind its head start", addrs: map[string]fakeAnswer{"::1": {after: 300 * time.Millisecond}, "1.0.0.1": {after: hole}},
			won: "::1", took: 300 * time.Millisecond, log: []string{"0s ::1", "250ms 1.0.0.1"}},
		{name: "all fail", addrs: map[string]fakeAnswer{"::1": {after: hole, err: errRefused}, "1.0.0.1": {err: errRefused}, "::2": {err: errRefused}},
			took: hole, failed: 3, log: []string{"0s ::1", "250ms 1.0.0.1", "250ms ::2"}},
		{name: "two connect", addrs: map[string]fakeAnswer{"::1": {after: time.Second}, "1.0.0.1": {after: 10 * time.Millisecond}}, stuck: true,
			won: "1.0.0.1", took: time.Second, log: []string{"0s ::1", "250ms 1.0.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{addrs: c.addrs, stuck: c.stuck}
				won, failed := n.network().race(t.Context(), slices.Clone(addrs))
				if took := time.Since(n.started); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if len(failed) != c.failed || !slices.Equal(n.log, c.log) {
					t.Errorf("%d failed, want %d; connects %q, want %q", len(failed), c.failed, n.log, c.log)
				}
				switch {
				case c.won == "" && won.conn == nil && n.open == 0:
				case won.conn == nil || won.addr.Addr().String() != c.won:
					t.Errorf("%v won, want %s", won.addr, c.won)
				case n.open != 1:
					t.Errorf("%d connections are open", n.open)
				}
			})
		})
	}
}

// TestRaceCancelled: a drain ends a dial at once, with nothing left open.
func TestRaceCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{addrs: map[string]fakeAnswer{"::1": {after: time.Hour}, "1.0.0.1": {after: time.Hour}, "::2": {after: time.Hour}}}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		won, _ := n.network().race(ctx, addrPorts("[::1]:1 1.0.0.1:1 [::2]:1"))
		if took := time.Since(n.started); won.conn != nil || took != 300*time.Millisecond || n.open != 0 {
			t.Errorf("%v won after %v, %d open", won.addr, took, n.open)
		}
	})
}

// TestResolve: both families are looked up at once, and the first answer waits only briefly for
// the other (RFC 8305, section 3).
func TestResolve(t *testing.T) {
	none := &net.DNSError{Err: "no such host", IsNotFound: true}
	broken := errors.New("server misbehaving")
	for _, c := range []struct {
		name   string
		v6, v4 fakeAnswer
		want   string
		took   time.Duration
		err    error
	}{
		{name: "both", v6: fakeAnswer{addrs: "[::1]:0"}, v4: fakeAnswer{after: time.Millisecond, addrs: "1.0.0.1:0 1.0.0.2:0"},
			want: "[::1]:0 1.0.0.1:0 1.0.0.2:0", took: time.Millisecond},
		{name: "questions for IPv6 are ignored", v6: fakeAnswer{after: time.Hour}, v4: fakeAnswer{addrs: "1.0.0.1:0"}, want: "1.0.0.1:0", took: resolutionDelay},
		{name: "there is no IPv6", v6: fakeAnswer{err: none}, v4: fakeAnswer{after: time.Second, addrs: "1.0.0.1:0"}, want: "1.0.0.1:0", took: time.Second},
		{name: "mapped", v6: fakeAnswer{addrs: "[::ffff:1.0.0.9]:0"}, v4: fakeAnswer{err: none}, want: "1.0.0.9:0"},
		{name: "nobody knows it", v6: fakeAnswer{err: none}, v4: fakeAnswer{err: none}, err: none},
		{name: "a fault is preferred to not found", v6: fakeAnswer{err: broken}, v4: fakeAnswer{after: 1, err: none}, err: broken, took: 1},
		{name: "too late", v6: fakeAnswer{after: 2 * time.Hour}, v4: fakeAnswer{after: 2 * time.Hour}, err: context.DeadlineExceeded, took: time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNet{hosts: map[string]fakeAnswer{"ip6 h": c.v6, "ip4 h": c.v4}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				got, err := n.network().resolve(ctx, "h")
				var want []netip.Addr
				for _, a := range addrPorts(c.want) {
					want = append(want, a.Addr())
				}
				if took := time.Since(n.started); !slices.Equal(got, want) || !errors.Is(err, c.err) || took != c.took {
					t.Errorf("%v, %v after %v", got, err, took)
				}
			})
		})
	}
}
