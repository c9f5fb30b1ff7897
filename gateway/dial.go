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
	hosts   []string
	timeout time.Duration // for each address
	first   int           // host to begin with
}

// dial tries all addresses of all hosts in turn, from the first host on, and
// returns the first connection that stands.
func (d *dialer) dial(ctx context.Context) dialResult {
	var errs []error
	for i := range d.hosts {
		hostport := d.hosts[(d.first+i)%len(d.hosts)]
		fd, addr, err := d.host(ctx, hostport)
		if err == nil {
			return dialResult{sock: newSocket(fd), host: hostport, addr: addr}
		}
		errs = append(errs, err)
	}
	return dialResult{err: errors.Join(errs...)}
}

// failover begins with the next host from now on: the one before took the
// connection but not the login.
func (d *dialer) failover() { d.first = (d.first + 1) % len(d.hosts) }

func (d *dialer) host(ctx context.Context, hostport string) (int, string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return -1, "", fmt.Errorf("%s: %w", hostport, err)
	}
	lookup, cancel := context.WithTimeout(ctx, d.timeout)
	addrs, err := net.DefaultResolver.LookupHost(lookup, host)
	cancel()
	if err != nil {
		return -1, "", fmt.Errorf("look up %s: %w", hostport, err)
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
		fd, err := takeSocket(conn.(*net.TCPConn))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", hostport, err))
			continue
		}
		return fd, addr, nil
	}
	return -1, "", errors.Join(errs...)
}
