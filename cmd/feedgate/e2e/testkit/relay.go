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

// SmallBuffer is what a small receiving socket is asked to hold, in bytes; Linux doubles
// it.
const SmallBuffer = 16 << 10

// Relay is a TCP proxy for one gateway. It breaks a connection after exactly so many
// bytes, stops reading what the gateway sends, and shows what passes. When the gateway
// connects anew, what is left of the connection before is reset: a gateway has one.
//
// The accept loop runs until the test ends; each connection has a pump a direction.
type Relay struct {
	Hold Gate // of reading what the gateway sends

	t        testing.TB
	listener net.Listener
	target   string
	wiring   Wiring

	mu      sync.Mutex
	links   []*link
	running int // connections that have not ended
	reached int // cuts that were made
}

// Wiring is what a relay does besides relaying. Connections count from 0; the functions
// are called by the accept loop.
type Wiring struct {
	Cuts func(connection int) Cut            // nil: none
	Look func(connection int) (down, up See) // nil: nobody looks
	// Small socket buffers make a gateway notice soon that it is not read.
	Small bool
}

// See is given what was read of a direction, by its pump, and returns what is passed on.
// What it is given is its own until it returns. Nil passes everything on.
type See func([]byte) []byte

// Direction is where bytes go.
type Direction int

// The directions of a connection.
const (
	Down Direction = iota // to the gateway
	Up                    // to its source
)

// Ending is how a connection is cut.
type Ending int

// The endings of a connection.
const (
	Uncut Ending = iota
	Reset        // both sides, at once
	Fin          // to where the bytes went; the other direction goes on
)

// Cut is where one connection breaks: behind the first After bytes of a direction. Its
// zero value breaks nothing.
type Cut struct {
	How   Ending
	Where Direction
	After int64
}

// link is one connection: client is the gateway's end of it.
type link struct {
	client, server *net.TCPConn
	passed         [2]atomic.Int64 // bytes by direction
	ended          sync.WaitGroup
}

// StartRelay leads to the address target.
func StartRelay(t testing.TB, target string, w Wiring) *Relay {
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
	r := &Relay{t: t, listener: listener, target: target, wiring: w}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.accept()
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
		r.Hold.Open()
		r.Sever()
		r.Drained()
	})
	return r
}

// Addr is where it listens.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

func (r *Relay) accept() {
	for n := 0; ; {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.Sever()
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			client.Close()
			continue
		}
		r.begin(n, &link{client: client.(*net.TCPConn), server: server.(*net.TCPConn)})
		n++
	}
}

// begin starts the pumps of connection n.
func (r *Relay) begin(n int, l *link) {
	var c Cut
	if r.wiring.Cuts != nil {
		c = r.wiring.Cuts(n)
	}
	var see [2]See
	if r.wiring.Look != nil {
		see[Down], see[Up] = r.wiring.Look(n)
	}
	r.mu.Lock()
	r.links, r.running = append(r.links, l), r.running+1
	r.mu.Unlock()
	l.ended.Go(func() { r.pump(l, Down, c, see[Down]) })
	l.ended.Go(func() { r.pump(l, Up, c, see[Up]) })
	go func() {
		l.ended.Wait()
		l.client.Close()
		l.server.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running--
	}()
}

// pump passes on one direction of a connection, up to its end or the cut.
func (r *Relay) pump(l *link, way Direction, c Cut, see See) {
	from, to := l.server, l.client
	if way == Up {
		from, to = to, from
	}
	buf := make([]byte, 64<<10)
	mine := c.How != Uncut && c.Where == way
	for {
		room := int64(len(buf))
		if mine {
			room = min(room, c.After-l.passed[way].Load())
		}
		if room == 0 {
			r.cut(l, to, c.How)
			return
		}
		if way == Up {
			r.Hold.pass()
		}
		n, err := from.Read(buf[:room])
		b := buf[:n]
		if see != nil {
			b = see(b)
		}
		l.passed[way].Add(int64(n))
		_, failed := to.Write(b)
		switch {
		case failed != nil && way == Down:
			// The gateway is gone. What it had put on the wire is on its way up still, and
			// closing a socket with unread input would destroy it: a reset overtakes it.
			_, _ = io.Copy(io.Discard, from)
			return
		case failed != nil, err != nil && way == Down && !errors.Is(err, io.EOF):
			l.sever()
			return
		case err != nil:
			_ = to.CloseWrite()
			return
		}
	}
}

func (r *Relay) cut(l *link, to *net.TCPConn, how Ending) {
	r.mu.Lock()
	r.reached++
	r.mu.Unlock()
	if how == Reset {
		l.sever()
		return
	}
	_ = to.CloseWrite()
}

// sever resets both sides.
func (l *link) sever() {
	for _, c := range []*net.TCPConn{l.client, l.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

// Sever resets the present connection, if there is one.
func (r *Relay) Sever() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.links) > 0 {
		r.links[len(r.links)-1].sever()
	}
}

// Passed is how many bytes of a connection went in each direction.
func (r *Relay) Passed(connection int) [2]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.links[connection]
	return [2]int64{Down: l.passed[Down].Load(), Up: l.passed[Up].Load()}
}

// Drained waits until everything that a dead gateway sent has been seen.
func (r *Relay) Drained() {
	r.t.Helper()
	Eventually(r.t, "the end of the connections", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.running == 0
	})
}

// Made is the number of connections, and of cuts.
func (r *Relay) Made() (connections, cuts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.links), r.reached
}
