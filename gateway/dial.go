package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// dialer connects to an upstream. It is used by one goroutine at a time.
type dialer struct {
	hosts     []string
	timeout   time.Duration // for each address, and again for its TLS handshake
	first     int           // host to begin with
	tls       *TLS          // nil: none
	protocols []string      // for ALPN, RFC 7301
}

// dial tries all addresses of all hosts in turn, from the first host on, and
// returns the first connection that stands.
func (d *dialer) dial(ctx context.Context) dialResult {
	var errs []error
	for i := range d.hosts {
		hostport := d.hosts[(d.first+i)%len(d.hosts)]
		sock, addr, err := d.host(ctx, hostport)
		if err == nil {
			return dialResult{sock: sock, host: hostport, addr: addr}
		}
		errs = append(errs, err)
	}
	return dialResult{err: errors.Join(errs...)}
}

// failover begins with the next host from now on: the one before took the
// connection but not the login.
func (d *dialer) failover() { d.first = (d.first + 1) % len(d.hosts) }

func (d *dialer) host(ctx context.Context, hostport string) (transport, string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", hostport, err)
	}
	lookup, cancel := context.WithTimeout(ctx, d.timeout)
	addrs, err := net.DefaultResolver.LookupHost(lookup, host)
	cancel()
	if err != nil {
		return nil, "", fmt.Errorf("look up %s: %w", hostport, err)
	}
	var errs []error
	for _, a := range addrs {
		addr := net.JoinHostPort(a, port)
		dialer := net.Dialer{Timeout: d.timeout}
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			errs = append(errs, fmt.Errorf("connect to %s: %w", hostport, err))
			continue
		}
		sock, err := d.transport(ctx, conn.(*net.TCPConn), host)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", hostport, err))
			continue
		}
		return sock, addr, nil
	}
	return nil, "", errors.Join(errs...)
}

// transport takes over conn, with the TLS handshake done where there is TLS.
func (d *dialer) transport(ctx context.Context, conn *net.TCPConn, host string) (transport, error) {
	if d.tls == nil {
		fd, err := takeSocket(conn)
		return newSocket(fd), err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	sock, err := secure(ctx, conn, d.tls.client(host, d.protocols))
	if err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return sock, nil
}
