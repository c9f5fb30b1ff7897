package ws

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/worker/hostport"
)

// Why a redirect is not followed.
var (
	errOtherHost = errors.New("a redirect to another host, which is not followed; name that host in the URL if it is trusted")
	errLessTLS   = errors.New("a redirect to a connection without TLS, which is not followed")
	errNoTarget  = errors.New("a redirect that is not to a WebSocket URL, which is not followed")
)

// redirected resolves a Location against the request to target at a HOST:PORT, over TLS or not. Its
// errors quote nothing, because a Location may contain secrets.
func redirected(address, target string, secure bool, location string) (*wire.Redirect, error) {
	base := &url.URL{Scheme: Scheme.SchemeName(secure), Host: address}
	if path, err := url.ParseRequestURI(target); err == nil {
		base.Path, base.RawPath = path.Path, path.RawPath
	}
	to, err := base.Parse(location)
	if err != nil || to.User != nil || to.Opaque != "" {
		return nil, errNoTarget
	}
	r := &wire.Redirect{Target: to.RequestURI()}
	port := schemePort(false)
	switch strings.ToLower(to.Scheme) {
	case "ws", "http":
	case "wss", "https":
		r.Secure, port = true, schemePort(true)
	default:
		return nil, errNoTarget
	}
	if p := to.Port(); p != "" {
		port = p
	}
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil || !strings.EqualFold(to.Hostname(), host):
		return nil, errOtherHost
	case secure && !r.Secure:
		return nil, errLessTLS
	}
	if !hostport.ValidPort(port) {
		return nil, errNoTarget
	}
	r.HostPort = net.JoinHostPort(host, port)
	return r, nil
}
