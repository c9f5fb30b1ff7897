package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker/credential"
)

// dialer connects to an upstream. The loop owns it, except between conn.startDial and
// conn.dialEnded, when the dialing goroutine does.
type dialer struct {
	net       network
	addresses addresses
	timeout   time.Duration // for a lookup, for each address, and again for its TLS handshake
	secure    bool          // use TLS
	tls       *credential.TLS
	protocols []string  // for ALPN, RFC 7301
	redirect  *redirect // the redirect that this dial follows; nil: it tries the URL's hosts

	limit    int // --connect-attempts; 0: no limit
	attempts int // since a connection was last ready

	// Only for protocols whose login begins before the TLS handshake.
	codec  *wire.Codec
	resume wire.Hello // without Host
}

func newDialer(hostports []string, timeout time.Duration) dialer {
	return dialer{net: realNetwork(timeout), addresses: newAddresses(hostports), timeout: timeout}
}

// configure sets what a dial takes from the settings.
func (d *dialer) configure(cfg *Config, codec *wire.Codec) {
	d.secure, d.tls, d.protocols = cfg.Secure, cfg.TLS, cfg.Protocol.Scheme().ALPN
	if cfg.Secure && codec.StartTLS {
		d.codec = codec
	}
}

// dialErrors holds the errors of one dial, for one log line.
type dialErrors []error

func (e dialErrors) Unwrap() []error { return e }

func (e dialErrors) Error() string {
	var texts []string
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// dial runs one round (see addresses). It returns the first connection that is established.
func (d *dialer) dial(ctx context.Context) dialResult {
	if d.redirect != nil {
		return d.follow(ctx)
	}
	var errs dialErrors
	d.addresses.begin()
	first, n := d.addresses.first, len(d.addresses.hosts)
	for i := range 2 * n {
		r, tried := d.try(ctx, (first+i)%n, i >= n)
		switch {
		case !tried:
			continue
		case r.err == nil:
			return r
		}
		errs = append(errs, r.err)
		if ctx.Err() != nil || d.exhausted() {
			return dialResult{err: errs}
		}
	}
	return dialResult{err: errs}
}

// exhausted reports whether no more attempts are allowed.
func (d *dialer) exhausted() bool { return d.limit > 0 && d.attempts >= d.limit }

// try makes one attempt at a host: it races the host's addresses and, if the winner fails afterwards,
// the others. tried is false if there is no address to try.
func (d *dialer) try(ctx context.Context, host int, again bool) (r dialResult, tried bool) {
	hostport := d.addresses.hosts[host].hostport
	if !again {
		addrs, err := d.lookup(ctx, hostport)
		if err != nil {
			d.attempts++
			if ctx.Err() == nil {
				d.addresses.notFound(host)
			}
			return dialResult{err: fmt.Errorf("look up %s: %w", hostport, err)}, true
		}
		d.addresses.found(host, addrs)
	}
	addrs := d.addresses.pick(host, again)
	if len(addrs) == 0 {
		return dialResult{}, false
	}
	d.attempts++
	r = d.connect(ctx, hostport, addrs, d.secure, func(addr netip.AddrPort) {
		d.addresses.fail(target{host, addr})
	})
	r.target.host = host
	return r, true
}

// connect races addrs until a connection is established, TLS handshake included. It calls failed for
// each address that fails.
func (d *dialer) connect(ctx context.Context, hostport string, addrs []netip.AddrPort, secured bool, failed func(netip.AddrPort)) dialResult {
	var errs dialErrors
	fail := func(addr netip.AddrPort, err error) {
		errs = append(errs, err)
		addrs = slices.DeleteFunc(addrs, func(a netip.AddrPort) bool { return a == addr })
		if ctx.Err() == nil {
			failed(addr)
		}
	}
	for len(addrs) > 0 && ctx.Err() == nil {
		won, losers := d.net.race(ctx, addrs)
		for _, l := range losers {
			fail(l.addr, fmt.Errorf("connect to %s: %w", endpoint(hostport, l.addr.String()), reason(l.err)))
		}
		if won.conn == nil {
			break
		}
		r := dialResult{host: hostport, addr: won.addr.String(), target: target{addr: won.addr}}
		if r.sock, r.conn, r.err = d.transport(ctx, won.conn.(*net.TCPConn), hostport, secured); r.err == nil {
			return r
		}
		fail(won.addr, fmt.Errorf("%s: %w", endpoint(hostport, r.addr), r.err))
	}
	if len(errs) == 0 {
		errs = dialErrors{context.Cause(ctx)}
	}
	return dialResult{err: errs}
}

// endpoint names one of the addresses of HOST:PORT.
func endpoint(hostport, addr string) string {
	if hostport == addr {
		return hostport
	}
	return fmt.Sprintf("%s (%s)", hostport, addr)
}

// reason strips the operation and address that [net.OpError] and [os.SyscallError] put in front of
// an error.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errNoAnswer
	case errors.As(err, &call):
		return call.Err
	}
	return err
}

// lookup resolves HOST:PORT.
func (d *dialer) lookup(ctx context.Context, hostport string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	addrs, err := d.net.resolve(ctx, host)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errNoAnswer
	}
	all := make([]netip.AddrPort, 0, len(addrs))
	for _, addr := range addrs {
		if a := netip.AddrPortFrom(addr, uint16(number)); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all, err
}

// transport takes over raw and does the TLS handshake, if there is one. The wire.Conn is nil unless
// the login began before the handshake.
func (d *dialer) transport(ctx context.Context, raw *net.TCPConn, hostport string, secured bool) (transport, wire.Conn, error) {
	if !secured {
		fd, err := takeSocket(raw)
		if err != nil {
			return nil, nil, err
		}
		return newSocket(fd), nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var conn wire.Conn
	if d.codec != nil {
		var err error
		if conn, err = d.negotiate(ctx, raw, hostport); err != nil {
			raw.Close()
			return nil, nil, fmt.Errorf("negotiate TLS: %w", err)
		}
	}
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	host, _, _ = strings.Cut(host, "%") // certificates do not contain zones
	sock, err := secure(ctx, raw, d.tls.Client(host, d.protocols))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = tlsError{errNoAnswer}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return sock, conn, nil
}
