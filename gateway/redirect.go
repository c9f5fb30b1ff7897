package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"feedgate/gateway/wire"
)

// redirect is a redirect to follow.
type redirect struct {
	wire.Redirect
	from target // the address that sent it, which fails if the redirect does
}

var errSecondRedirect = errors.New("a second redirect, which is not followed; name its target in the URL")

// follow dials the target of a redirect.
func (d *dialer) follow(ctx context.Context) dialResult {
	via := d.redirect
	addrs, err := d.lookup(ctx, via.HostPort)
	var r dialResult
	if err != nil {
		r.err = fmt.Errorf("look up %s: %w", via.HostPort, err)
	} else {
		// Try the address that sent the redirect first.
		same := netip.AddrPortFrom(via.from.addr.Addr(), addrs[0].Port())
		r = d.connect(ctx, via.HostPort, interleave(addrs, same), via.Secure, func(netip.AddrPort) {})
	}
	if r.target = via.from; r.err != nil && ctx.Err() == nil {
		d.addresses.fail(via.from)
	}
	return r
}

// retryAfter returns how long the server asked us to wait before a retry; 0: it did not ask.
func retryAfter(fault *wire.Error, now time.Time) time.Duration {
	if !fault.RetryAt.IsZero() {
		return max(1, fault.RetryAt.Sub(now))
	}
	return fault.RetryAfter
}
