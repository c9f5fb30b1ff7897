package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"feedgate/gateway/wire"
)

// Probed is what [Gateway.Probe] found out about one host.
type Probed struct {
	Host    string // HOST:PORT as in the URL
	Addr    string // the address that was connected; empty: none
	Via     string // HOST:PORT of a redirect that was followed; empty: none
	Version string // the protocol and its version
	Login   bool   // the protocol has a login, and it succeeded
	// Unprobed is what the login left out, so that it is not known to work: "--hello"; empty:
	// nothing.
	Unprobed string
	TLS      *tls.ConnectionState // nil: no TLS handshake was completed
	Err      error                // nil: the host works. Its text names the flag that may help
}

// Probe connects to each host, all at once, as far as a login goes without taking a message, and
// disconnects. A login has no session, so those of the server are not touched; nothing is acknowledged.
// Each host takes no longer than Config.ConnectTimeout for each step. Probe is independent of Run.
func (g *Gateway) Probe(ctx context.Context) []Probed {
	all := make([]Probed, len(g.cfg.Hosts))
	var running sync.WaitGroup
	for i, host := range g.cfg.Hosts {
		running.Go(func() { all[i] = g.probeHost(ctx, host) })
	}
	running.Wait()
	return all
}

// probeHost probes one host, and where it redirects to.
func (g *Gateway) probeHost(ctx context.Context, host string) Probed {
	codec := g.set.codec
	p := Probed{Host: host, Version: codec.Version, Unprobed: codec.Unprobed}
	if p.Version == "" {
		p.Version = g.cfg.Protocol.Scheme().Name
	}
	d := newDialer([]string{host}, g.cfg.ConnectTimeout)
	d.configure(&g.cfg, codec)
	d.resume = wire.Hello{Client: g.cfg.ClientName, Token: g.cfg.Token.Bytes(), Probe: true}
	for {
		r := d.dial(ctx)
		if r.err != nil {
			p.Err = addHint(r.err, g.dialHint(r.err))
			return p
		}
		p.Addr = r.addr
		if s, ok := r.sock.(*tlsSocket); ok {
			state := s.conn.ConnectionState()
			p.TLS = &state
		}
		err := g.probeLogin(ctx, &d, r)
		fault := new(wire.Error)
		redirected := errors.As(err, &fault) && fault.Redirect != nil
		switch {
		case err == nil:
			p.Login = codec.Login
			return p
		case redirected && d.redirect != nil:
			err = fmt.Errorf("%w, %w", err, errSecondRedirect)
			fallthrough
		case !redirected:
			p.Err = addHint(fmt.Errorf("%s: %w", endpoint(r.host, r.addr), err), g.protocolHint(err))
			return p
		}
		d.redirect, p.Via = &redirect{*fault.Redirect, r.target}, fault.Redirect.HostPort
	}
}

// probeLogin logs in over a new connection, unless the dial has begun that, and closes it.
func (g *Gateway) probeLogin(ctx context.Context, d *dialer, r dialResult) error {
	defer r.sock.close()
	s := &blockingStream{ctx: ctx, sock: r.sock, until: time.Now().Add(g.cfg.ConnectTimeout)}
	conn, hello := r.conn, []byte(nil)
	if conn == nil {
		conn = g.set.codec.NewConn()
		h := d.resume
		if h.Host = r.host; d.redirect != nil {
			h.Target = d.redirect.Target
		}
		hello = conn.AppendHello(nil, h)
	}
	x := loginExchange{stream: s, conn: conn, limit: maxNegotiation + g.set.codec.Overhead, until: "the end of the login"}
	e, err := x.run(hello)
	var fault *wire.Error
	switch {
	case errors.As(err, &fault):
		return err
	case err != nil:
		return g.lostLogin(s, err)
	case e.Kind == wire.EventClose:
		return errors.New(whyRefused(e))
	case e.Kind != wire.EventReady:
		return x.unexpected()
	}
	why := wire.CloseShuttingDown
	unsupported := g.set.unsupportedAcks(e)
	if unsupported != "" {
		why = wire.CloseBadRequest
	}
	if err := g.staysOpen(s); err != nil {
		return err
	}
	if err := g.hangUp(s, conn.AppendClose(nil, why)); err != nil {
		return err
	}
	if unsupported != "" {
		return errors.New(unsupported)
	}
	return nil
}

// lostLogin explains an error of the stream during the login. If a server has refused us by an alert of TLS
// and closed, our write may have failed before the alert was read.
func (g *Gateway) lostLogin(s *blockingStream, err error) error {
	var fault tlsError
	if g.cfg.Secure && !errors.As(err, &fault) {
		if _, alert := s.Read(make([]byte, 1)); errors.As(alert, &fault) {
			return alert
		}
	}
	switch {
	case s.ctx.Err() != nil || errors.Is(err, errNoAnswer) || errors.As(err, &fault):
		return err
	case errors.Is(err, io.EOF):
		err = errors.New("the server closed the connection during the login")
	default:
		err = fmt.Errorf("connection lost during the login: %w", err)
	}
	if g.cfg.Secure {
		return addHint(err, "see --tls-cert, --token-file and the URL's scheme")
	}
	return addHint(err, fmt.Sprintf("see --token-file and the URL's scheme: the server may expect TLS (%s://)", g.cfg.Protocol.Scheme().Secure))
}

// openWait is how long a server without a login is given to end the connection at once, which a gateway would
// take for a failure of the address.
const openWait = 200 * time.Millisecond

// staysOpen returns an error if a server without a login ends the connection at once, and sends nothing. With TLS
// 1.3, a server that has requested a client certificate checks that after our part of the handshake, and its
// refusal would be lost if it had bytes of ours to read.
func (g *Gateway) staysOpen(s *blockingStream) error {
	if g.set.codec.Login {
		return nil
	}
	t, secure := s.sock.(*tlsSocket)
	asked := secure && (t.certRequested || slices.Contains(g.cfg.TLS.Given(), TLSFlags.Cert))
	wait, hint := openWait, "see the port and the scheme in the URL"
	if asked {
		wait, hint = lingerTime, "see "+TLSFlags.Cert
	}
	s.until = time.Now().Add(wait)
	_, err := s.Read(make([]byte, 1))
	var fault tlsError
	switch {
	case err == nil || errors.Is(err, errNoAnswer):
		return nil
	case errors.As(err, &fault) || s.ctx.Err() != nil:
		return err
	case errors.Is(err, io.EOF):
		return addHint(errors.New("the server closed the connection at once"), hint)
	}
	return addHint(fmt.Errorf("connection lost at once: %w", err), hint)
}

// hangUp sends our close, then discards what the server sends until it closes, for at most lingerTime,
// so that no reset destroys the close. An error of TLS is returned.
func (g *Gateway) hangUp(s *blockingStream, goodbye []byte) error {
	s.until = time.Now().Add(lingerTime)
	// Errors of sending do not matter: the server may have closed, and why is still to be read.
	if _, err := s.Write(goodbye); err == nil && !g.set.codec.PeerClosesFirst {
		_ = s.sock.closeSend()
	}
	var err error
	for b := make([]byte, 16<<10); err == nil; {
		_, err = s.Read(b)
	}
	var fault tlsError
	if errors.As(err, &fault) {
		return err
	}
	return nil
}

// addHint adds what may help to err, if anything is known.
func addHint(err error, hint string) error {
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}

// protocolHint returns what may help if the server, once connected, answers nothing or what violates the
// protocol; "": err is something else.
func (g *Gateway) protocolHint(err error) string {
	var fault *wire.Error
	violated := errors.As(err, &fault) && fault.Reason != wire.Login && !fault.Refused && fault.Redirect == nil
	if !violated && !errors.Is(err, errNoAnswer) {
		return ""
	}
	version := g.set.codec.Version
	if version == "" {
		version = g.cfg.Protocol.Scheme().Name
	}
	return fmt.Sprintf("does the server speak %s? see the URL's scheme", version)
}

// dialHint returns what may help against an error of a dial, unless its text has that; "": unknown.
func (g *Gateway) dialHint(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var fault tlsError
	var reported *wire.Error
	errno := func(all ...syscall.Errno) bool {
		for _, e := range all {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &fault) && errors.Is(err, errNoAnswer):
		return "does the server speak TLS? see the URL's scheme"
	case errors.As(err, &reported):
		return g.protocolHint(err)
	case errors.Is(err, errNoAnswer):
		return "see the host and port in the URL"
	case errors.As(err, &fault):
		return ""
	case errors.As(err, &dns):
		return "see the host in the URL"
	case errno(syscall.ECONNREFUSED):
		return "see the host and port in the URL, and whether the server runs"
	case errno(syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EINVAL):
		return "see the host in the URL"
	case errors.As(err, &op):
		return ""
	}
	return "see the URL's scheme"
}
