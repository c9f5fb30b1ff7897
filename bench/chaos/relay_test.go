package chaos

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

// smallBuffer is what a receiving socket is asked to hold, in bytes; Linux doubles it.
const smallBuffer = 16 << 10

// relay is a TCP proxy for one gateway. It breaks a connection after exactly so
// many bytes, stops reading what the gateway sends, and notes the acks that pass.
// When the gateway connects anew, what is left of the connection before is closed
// to both sides: a gateway has one.
//
// The accept loop runs until the test ends; each connection has a pump a direction.
type relay struct {
	t        *testing.T
	listener net.Listener
	target   string
	wiring
	hold gate // of reading what the gateway sends

	mu      sync.Mutex
	links   []*link
	running int // connections that have not ended
	reached int // cuts that were made
}

// wiring is what a relay does besides relaying.
type wiring struct {
	cuts func(connection int) cut // nil: none
	tap  *tap                     // nil: none
	// small socket buffers make a gateway notice soon that its acks are not read.
	small bool
}

// direction is where bytes go.
type direction int

const (
	down direction = iota // to the gateway
	up                    // to the feed
)

// ending is how a connection is cut.
type ending int

const (
	reset ending = iota // both sides, at once
	fin                 // to where the bytes went; the other direction goes on
)

// cut is where one connection breaks: behind the first after bytes of a direction.
type cut struct {
	none  bool
	where direction
	after int64
	how   ending
}

// link is one connection: client is the gateway's end of it.
type link struct {
	client, server *net.TCPConn
	passed         [2]atomic.Int64 // bytes by direction
	ended          sync.WaitGroup
}

// startRelay leads to the address target.
func startRelay(t *testing.T, target string, w wiring) *relay {
	t.Helper()
	var config net.ListenConfig
	if w.small {
		config.Control = func(_, _ string, c syscall.RawConn) error {
			var set error
			err := c.Control(func(fd uintptr) {
				set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallBuffer)
			})
			return errors.Join(err, set)
		}
	}
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, listener: listener, target: target, wiring: w}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.accept()
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
		r.hold.open()
		r.sever()
		r.drained()
	})
	return r
}

func (r *relay) addr() string { return r.listener.Addr().String() }

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.sever()
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		r.begin(client.(*net.TCPConn), server.(*net.TCPConn))
	}
}

func (r *relay) begin(client, server *net.TCPConn) {
	l, c := &link{client: client, server: server}, cut{none: true}
	r.mu.Lock()
	if r.cuts != nil {
		c = r.cuts(len(r.links))
	}
	r.links, r.running = append(r.links, l), r.running+1
	r.mu.Unlock()
	l.ended.Add(2)
	go r.pump(l, down, server, client, c, nil)
	go r.pump(l, up, client, server, c, r.tap.stream())
	go func() {
		l.ended.Wait()
		client.Close()
		server.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running--
	}()
}

// pump passes on one direction of a connection, up to its end or the cut, and lets
// acks have a look at it.
func (r *relay) pump(l *link, way direction, from, to *net.TCPConn, c cut, acks *stream) {
	defer l.ended.Done()
	buf := make([]byte, 64<<10)
	mine := !c.none && c.where == way
	for {
		room := int64(len(buf))
		if mine {
			room = min(room, c.after-l.passed[way].Load())
		}
		if room == 0 {
			r.mu.Lock()
			r.reached++
			r.mu.Unlock()
			if c.how == reset {
				l.sever()
			} else {
				_ = to.CloseWrite()
			}
			return
		}
		if way == up {
			r.hold.pass()
		}
		n, err := from.Read(buf[:room])
		acks.take(buf[:n])
		l.passed[way].Add(int64(n))
		_, failed := to.Write(buf[:n])
		switch {
		case failed != nil && way == down:
			// The gateway is gone. What it had put on the wire is on its way up still.
			return
		case failed != nil, err != nil && way == down && !errors.Is(err, io.EOF):
			l.sever()
			return
		case err != nil:
			_ = to.CloseWrite()
			return
		}
	}
}

// sever resets both sides.
func (l *link) sever() {
	for _, c := range []*net.TCPConn{l.client, l.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

// sever resets the present connection, if there is one.
func (r *relay) sever() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.links) > 0 {
		r.links[len(r.links)-1].sever()
	}
}

// connection is the i'th, from 0.
func (r *relay) connection(i int) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.links[i]
}

// drained waits until everything that a dead gateway sent has been seen.
func (r *relay) drained() {
	r.t.Helper()
	eventually(r.t, "the end of the connections", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.running == 0
	})
}

// made is the number of connections, and of cuts.
func (r *relay) made() (connections, cuts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.links), r.reached
}

// gate holds a goroutine up while it is shut. It begins open.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed on opening; nil: open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}
