package testkit

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// SmallBuffer is the SO_RCVBUF of a small receiving socket, in bytes. Linux doubles it.
const SmallBuffer = 16 << 10

// Relay is a TCP proxy for one gateway. It can break a connection after an exact number of
// bytes, stop reading from the gateway, and pass the relayed bytes through a Filter. A new
// connection of the gateway resets the previous one.
//
// The accept loop runs until the test ends. Each connection has one goroutine per direction, a
// pump.
type Relay struct {
	UpGate Gate // closed: nothing is read from the gateway

	t        testing.TB
	listener net.Listener
	target   string
	options  RelayOptions

	mu      sync.Mutex
	pairs   []*pair
	running int // connections that have not ended
	cuts    int // made so far
}

// RelayOptions are the options of StartRelay. Connections are numbered from 0. The accept loop
// calls the functions.
type RelayOptions struct {
	Cuts    func(connection int) Cut               // nil: none
	Observe func(connection int) (down, up Filter) // nil: no filters
	// Small receive buffers, so that a gateway soon notices that nobody reads.
	Small bool
}

// Filter gets the bytes read in one direction and returns the bytes to pass on. Its pump calls
// it. The slice is valid until it returns. A nil Filter passes everything on.
type Filter func([]byte) []byte

// Direction is the direction in which bytes are sent.
type Direction int

// The directions of a connection.
const (
	Down Direction = iota // to the gateway
	Up                    // to its server
)

// Ending is how a connection is cut.
type Ending int

// The endings of a connection.
const (
	Uncut Ending = iota
	Reset        // of both sides, at once
	Fin          // in the cut's direction; the other direction stays open
)

// Cut breaks a connection after the first After bytes of a direction. The zero value breaks
// nothing.
type Cut struct {
	How   Ending
	Where Direction
	After int64
}

// pair has the two sockets of one relayed connection: client is the gateway's.
type pair struct {
	client, server *net.TCPConn
	passed         [2]atomic.Int64 // bytes by direction
	ended          sync.WaitGroup
}

// StartRelay starts a relay to the address target.
func StartRelay(t testing.TB, target string, w RelayOptions) *Relay {
	t.Helper()
	var config net.ListenConfig
	if w.Small {
		config.Control = func(_, _ string, c syscall.RawConn) error {
			var set error
			err := c.Control(func(fd uintptr) {
				set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, SmallBuffer)
			})
			return errors.Join(err, set)
		}
	}
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{t: t, listener: listener, target: target, options: w}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.accept()
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
		r.UpGate.Open()
		r.Reset()
		r.WaitClosed()
	})
	return r
}

// Addr returns the address on which the relay listens.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

func (r *Relay) accept() {
	for n := 0; ; {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.Reset()
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		r.begin(n, &pair{client: client.(*net.TCPConn), server: server.(*net.TCPConn)})
		n++
	}
}

// begin starts the pumps of connection n.
func (r *Relay) begin(n int, p *pair) {
	var c Cut
	if r.options.Cuts != nil {
		c = r.options.Cuts(n)
	}
	var filter [2]Filter
	if r.options.Observe != nil {
		filter[Down], filter[Up] = r.options.Observe(n)
	}
	r.mu.Lock()
	r.pairs, r.running = append(r.pairs, p), r.running+1
	r.mu.Unlock()
	p.ended.Go(func() { r.pump(p, Down, c, filter[Down]) })
	p.ended.Go(func() { r.pump(p, Up, c, filter[Up]) })
	go func() {
		p.ended.Wait()
		p.client.Close()
		p.server.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running--
	}()
}

// pump relays one direction of a connection, up to its end or the cut.
func (r *Relay) pump(p *pair, way Direction, c Cut, filter Filter) {
	from, to := p.server, p.client
	if way == Up {
		from, to = to, from
	}
	buf := make([]byte, 64<<10)
	mine := c.How != Uncut && c.Where == way
	for {
		n := int64(len(buf))
		if mine {
			n = min(n, c.After-p.passed[way].Load())
		}
		if n == 0 {
			r.cut(p, to, c.How)
			return
		}
		if way == Up {
			r.UpGate.pass()
		}
		read, err := from.Read(buf[:n])
		b := buf[:read]
		if filter != nil {
			b = filter(b)
		}
		p.passed[way].Add(int64(read))
		_, failed := to.Write(b)
		switch {
		case failed != nil && way == Down:
			// The gateway has closed. Its last bytes may still be in the socket; closing that
			// with unread input would send a reset to the server and discard them.
			_, _ = io.Copy(io.Discard, from)
			return
		case failed != nil, err != nil && way == Down && !errors.Is(err, io.EOF):
			p.reset()
			return
		case err != nil:
			_ = to.CloseWrite()
			return
		}
	}
}

func (r *Relay) cut(p *pair, to *net.TCPConn, how Ending) {
	r.mu.Lock()
	r.cuts++
	r.mu.Unlock()
	if how == Reset {
		p.reset()
		return
	}
	_ = to.CloseWrite()
}

// reset resets both sides of the connection.
func (p *pair) reset() {
	for _, c := range []*net.TCPConn{p.client, p.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

// Reset resets the current connection, if there is one.
func (r *Relay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pairs) > 0 {
		r.pairs[len(r.pairs)-1].reset()
	}
}

// Transferred returns how many bytes of a connection were relayed in each direction.
func (r *Relay) Transferred(connection int) [2]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pairs[connection]
	return [2]int64{Down: p.passed[Down].Load(), Up: p.passed[Up].Load()}
}

// WaitClosed waits until all connections have ended. Everything that a killed gateway sent has
// then passed the filters.
func (r *Relay) WaitClosed() {
	r.t.Helper()
	Eventually(r.t, "the end of the connections", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.running == 0
	})
}

// Counts returns the number of connections, and of cuts.
func (r *Relay) Counts() (connections, cuts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pairs), r.cuts
}
