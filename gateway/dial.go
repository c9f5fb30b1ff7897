package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"feedgate/gateway/wire"
)

// dialer connects to an upstream. It is used by one goroutine at a time.
type dialer struct {
	hosts     []string
	timeout   time.Duration // for each address, and again for its TLS handshake
	first     int           // host to begin with
	tls       *TLS          // nil: none
	protocols []string      // for ALPN, RFC 7301

	// Of a protocol that has its login before the TLS handshake; else nil.
	proto  wire.Protocol
	resume wire.Resume // but for Host
}

// dial tries all addresses of all hosts in turn, from the first host on, and
// returns the first connection that stands.
func (d *dialer) dial(ctx context.Context) dialResult {
	var errs []error
	for i := range d.hosts {
		hostport := d.hosts[(d.first+i)%len(d.hosts)]
		r := d.host(ctx, hostport)
		if r.err == nil {
			return r
		}
		errs = append(errs, r.err)
	}
	return dialResult{err: errors.Join(errs...)}
}

// failover begins with the next host from now on: the one before took the
// connection but not the login.
func (d *dialer) failover() { d.first = (d.first + 1) % len(d.hosts) }

func (d *dialer) host(ctx context.Context, hostport string) dialResult {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return dialResult{err: fmt.Errorf("%s: %w", hostport, err)}
	}
	lookup, cancel := context.WithTimeout(ctx, d.timeout)
	addrs, err := net.DefaultResolver.LookupHost(lookup, host)
	cancel()
	if err != nil {
		return dialResult{err: fmt.Errorf("look up %s: %w", hostport, err)}
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
		r := dialResult{host: hostport, addr: addr}
		if r.sock, r.conn, err = d.transport(ctx, conn.(*net.TCPConn), hostport); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", hostport, err))
			continue
		}
		return r
	}
	return dialResult{err: errors.Join(errs...)}
}

// transport takes over raw, with the TLS handshake done where there is TLS. The
// connection's protocol state is there if its login has begun before that.
func (d *dialer) transport(ctx context.Context, raw *net.TCPConn, hostport string) (transport, wire.Conn, error) {
	if d.tls == nil {
		fd, err := takeSocket(raw)
		return newSocket(fd), nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var conn wire.Conn
	if d.proto != nil {
		var err error
		if conn, err = d.negotiate(ctx, raw, hostport); err != nil {
			raw.Close()
			return nil, nil, fmt.Errorf("agree on TLS: %w", err)
		}
	}
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	sock, err := secure(ctx, raw, d.tls.client(host, d.protocols))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = tlsError{errNoAnswer}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return sock, conn, nil
}
