package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

const (
	// attemptDelay is the head start of an address over the next one: the Connection
	// Attempt Delay of RFC 8305, section 5.
	attemptDelay = 250 * time.Millisecond
	// resolutionDelay is how long a lookup waits for the second address family after the first has
	// answered: the Resolution Delay of RFC 8305, section 3.
	resolutionDelay = 50 * time.Millisecond
)

// network is the part of package net that the dialer uses; tests replace it.
type network struct {
	connect func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	lookup  func(ctx context.Context, family, host string) ([]netip.Addr, error)
}

// keepAlive detects a dead host within 45 s if no data is in flight. It adds up to 40 s, because
// Linux's timers may be an eighth late (linux/kernel/time/timer.c: no cascading).
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 13 * time.Second, Interval: 9 * time.Second, Count: 3}

// realNetwork returns the real network; timeout applies to each connect.
func realNetwork(timeout time.Duration) network {
	d := net.Dialer{Timeout: timeout, KeepAliveConfig: keepAlive}
	return network{
		connect: func(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", addr.String())
		},
		lookup: net.DefaultResolver.LookupNetIP,
	}
}

// attempt is the outcome of connecting to one address.
type attempt struct {
	addr netip.AddrPort
	conn net.Conn // nil if err is set
	err  error
}

// race connects to addrs in order, each attemptDelay after the previous one or as soon as one fails. It
// returns the first that connects, if any, and those that failed before it. The other attempts are
// cancelled and have ended when it returns.
func (n network) race(ctx context.Context, addrs []netip.AddrPort) (won attempt, failed []attempt) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan attempt)
	turn := time.NewTimer(0)
	defer turn.Stop()
	for running := 0; len(addrs) > 0 || running > 0; {
		var next <-chan time.Time // nil: all are started
		if len(addrs) > 0 {
			next = turn.C
		}
		select {
		case <-next:
			addr := addrs[0]
			addrs = addrs[1:]
			running++
			go func() {
				conn, err := n.connect(ctx, addr)
				results <- attempt{addr, conn, err}
			}()
			turn.Reset(attemptDelay)
		case r := <-results:
			running--
			switch {
			case r.err == nil && won.conn != nil:
				r.conn.Close() // it connected before it was cancelled
			case r.err == nil:
				won, addrs = r, nil
				cancel()
			case won.conn == nil:
				failed = append(failed, r)
				turn.Reset(0)
			}
		}
	}
	return won, failed
}

// resolve looks up the addresses of a host, both families at once. After the first answer with
// addresses it waits only resolutionDelay for the other one, in case a name server ignores queries for
// one family.
func (n network) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		addrs []netip.Addr
		err   error
	}
	families := []string{"ip6", "ip4"}
	answers := make(chan answer)
	for _, family := range families {
		go func() {
			addrs, err := n.lookup(ctx, family, host)
			answers <- answer{addrs, err}
		}()
	}
	var all []netip.Addr
	var fault error
	for range families {
		a := <-answers
		if a.err != nil && ctx.Err() == nil && (fault == nil || !notFound(a.err)) {
			fault = a.err
		}
		for _, addr := range a.addrs {
			all = append(all, addr.Unmap())
		}
		if len(all) > 0 {
			defer time.AfterFunc(resolutionDelay, cancel).Stop()
		}
	}
	switch {
	case len(all) > 0:
		return all, nil
	case fault != nil:
		return nil, fault
	}
	return nil, context.Cause(ctx)
}

// notFound reports whether err means that the host has no address of the family.
func notFound(err error) bool {
	var none *net.AddrError // the host has addresses, all of the other family
	var dns *net.DNSError
	return errors.As(err, &none) || errors.As(err, &dns) && dns.IsNotFound
}
