package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"feedgate/gateway/wire"
)

// redirect is the target of an HTTP redirect: the same host, perhaps another port, perhaps
// TLS where there was none.
type redirect struct {
	hostport string
	tls      bool
	target   string // request target
	from     target // the address that answered with it; it has failed if following it fails
}

// Why a redirect is not followed.
var (
	errOtherHost      = errors.New("a redirect to another host, which is not followed; name that host in the URL if it is trusted")
	errLessTLS        = errors.New("a redirect to a connection without TLS, which is not followed")
	errNoTarget       = errors.New("a redirect to what is not the URL of a WebSocket, which is not followed")
	errSecondRedirect = errors.New("a second redirect, which is not followed; name its target in the URL")
)

// redirected resolves a Location against the request at hostport that it answers. Its
// errors quote nothing, for a Location can hold secrets.
func (u upstream) redirected(hostport, location string) (*redirect, error) {
	base := &url.URL{Scheme: u.scheme, Host: hostport}
	if path, err := url.ParseRequestURI(u.target); err == nil {
		base.Path, base.RawPath = path.Path, path.RawPath
	}
	to, err := base.Parse(location)
	if err != nil || to.User != nil || to.Opaque != "" {
		return nil, errNoTarget
	}
	r := &redirect{target: to.RequestURI()}
	port := "80"
	switch strings.ToLower(to.Scheme) {
	case "ws", "http":
	case "wss", "https":
		r.tls, port = true, "443"
	default:
		return nil, errNoTarget
	}
	if p := to.Port(); p != "" {
		port = p
	}
	host, _, err := net.SplitHostPort(hostport)
	switch {
	case err != nil || !strings.EqualFold(to.Hostname(), host):
		return nil, errOtherHost
	case u.tls && !r.tls:
		return nil, errLessTLS
	}
	if !validPort(port) {
		return nil, errNoTarget
	}
	r.hostport = net.JoinHostPort(host, port)
	return r, nil
}

// follow is the dial that follows a redirect.
func (d *dialer) follow(ctx context.Context) dialResult {
	via := d.via
	addrs, err := d.lookup(ctx, via.hostport)
	var r dialResult
	if err != nil {
		r.err = fmt.Errorf("look up %s: %w", via.hostport, err)
	} else {
		// The address that redirected us is tried first.
		same := netip.AddrPortFrom(via.from.addr.Addr(), addrs[0].Port())
		r = d.connect(ctx, via.hostport, interleave(addrs, same), via.tls, func(netip.AddrPort) {})
	}
	if r.at = via.from; r.err != nil && ctx.Err() == nil {
		d.addresses.fail(via.from)
	}
	return r
}

// retryAfter is how long the server asked us to wait before a retry; 0: it did not.
func retryAfter(fault *wire.Error, now time.Time) time.Duration {
	if !fault.RetryAt.IsZero() {
		return max(1, fault.RetryAt.Sub(now))
	}
	return fault.RetryAfter
}
