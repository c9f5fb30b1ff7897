package toylog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// servers are the hosts of a URL, all of them equivalent. The workers share them, so that no worker
// begins with a host that has just failed another. Any goroutine may call the methods.
type servers struct {
	hosts   []string
	stream  string
	timeout time.Duration // for one answer
	cfg     *sink.Config
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	first int         // index of the host to try first
	busy  []time.Time // until when each host has asked not to be used
}

func newServers(hosts []string, stream string, secure bool, timeout time.Duration, cfg *sink.Config) *servers {
	s := &servers{hosts: hosts, stream: stream, timeout: timeout, cfg: cfg, busy: make([]time.Time, len(hosts))}
	s.dial = new(net.Dialer).DialContext
	if secure {
		s.dial = cfg.TLS.Dial
	}
	return s
}

var errTimeout = errors.New("no answer within --connect-timeout")

// busyError is the error of a server that asks to wait for this long.
type busyError time.Duration

// Error implements error.
func (e busyError) Error() string {
	return fmt.Sprintf("the server asks to wait for %v", time.Duration(e).Round(time.Millisecond))
}

// after returns how long the server asks to wait; 0 if it does not.
func after(err error) time.Duration {
	var busy busyError
	errors.As(err, &busy)
	return time.Duration(busy)
}

// login returns a connection to the first host that accepts the login. If a server refuses it, the
// error is a [kit.ErrDenied]; otherwise it names each host that was tried.
func (s *servers) login(ctx context.Context) (*conn, error) {
	s.mu.Lock()
	first := s.first
	s.mu.Unlock()
	var fault error
	for i := range s.hosts {
		n := (first + i) % len(s.hosts)
		c, err := s.loginAt(ctx, n)
		if err == nil {
			return c, nil
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			s.failed(n)
		}
		if err = fmt.Errorf("%s: %w", s.hosts[n], err); errors.Is(err, kit.ErrDenied) {
			return nil, err
		}
		if fault == nil {
			fault = err
		} else {
			fault = fmt.Errorf("%w; %w", fault, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fault
}

// failed makes the host after a failed one the first to be tried.
func (s *servers) failed(host int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == host {
		s.first = (host + 1) % len(s.hosts)
	}
}

func (s *servers) loginAt(ctx context.Context, host int) (*conn, error) {
	s.mu.Lock()
	wait := time.Until(s.busy[host])
	s.mu.Unlock()
	if wait > 0 {
		return nil, busyError(wait)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.ConnectTimeout, errTimeout)
	defer cancel()
	socket, err := s.dial(ctx, "tcp", s.hosts[host])
	if err != nil {
		return nil, err
	}
	c := newConn(socket, host, s.timeout)
	stop := context.AfterFunc(ctx, func() { c.Close() }) // ends the wait for the server
	err = s.hello(c)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil {
		return c, nil
	}
	c.Close()
	if wait := after(err); wait > 0 {
		s.mu.Lock()
		s.busy[host] = time.Now().Add(wait)
		s.mu.Unlock()
	}
	return nil, err
}

// hello reads the credentials each time, because SIGHUP can replace them.
func (s *servers) hello(c *conn) error {
	line := fmt.Sprintf("HELLO %s %s %s\n", s.stream, s.cfg.User, s.cfg.Password.Bytes())
	if _, err := c.batch.WriteString(line); err != nil {
		return err
	}
	if err := c.batch.Flush(); err != nil {
		return err
	}
	if err := c.limitAnswer(); err != nil {
		return err
	}
	answer, err := c.answers.ReadSlice('\n') // a line longer than the buffer is an error
	if err != nil {
		return fmt.Errorf("waiting for the answer to the login: %w", err)
	}
	word, text, _ := strings.Cut(strings.TrimSuffix(string(answer), "\n"), " ")
	switch word {
	case "OK":
		return nil
	case "DENIED":
		return fmt.Errorf("%w: %q", kit.ErrDenied, text)
	case "BUSY":
		if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
			return busyError(min(time.Duration(min(seconds, 3600))*time.Second, s.cfg.ReconnectMax))
		}
	}
	return errors.New("the server answered the login with none of OK, DENIED and BUSY")
}

// conn is a connection on which the server has accepted the login.
type conn struct {
	net.Conn
	host    int // its index
	timeout time.Duration
	answers *bufio.Reader
	batch   *bufio.Writer
}

func newConn(socket net.Conn, host int, timeout time.Duration) *conn {
	c := &conn{Conn: socket, host: host, timeout: timeout, answers: bufio.NewReaderSize(socket, 4<<10)}
	c.batch = bufio.NewWriterSize(c, 64<<10)
	return c
}

// Write implements [net.Conn]. The timeout is for each piece of 64 KiB, so that a long message may
// take longer.
func (c *conn) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return n, err
		}
		var wrote int
		wrote, err = c.Conn.Write(b[n:min(n+64<<10, len(b))])
		n += wrote
	}
	return n, err
}

// limitAnswer sets the timeout for the next answer.
func (c *conn) limitAnswer() error { return c.SetReadDeadline(time.Now().Add(c.timeout)) }

// answer waits for the server's answer to one message.
func (c *conn) answer() (byte, error) {
	if c.answers.Buffered() == 0 {
		if err := c.limitAnswer(); err != nil {
			return 0, err
		}
	}
	return c.answers.ReadByte()
}
