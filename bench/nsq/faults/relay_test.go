package faults

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// relay is a TCP proxy in front of an nsqd. It resets a connection after exactly so many
// bytes, changes what a gateway says, and notes the commands and the messages that pass.
// When the gateway connects anew, what is left of the connection before is reset.
//
// The accept loop runs until the test ends; each connection has a pump a direction.
type relay struct {
	t        *testing.T
	listener net.Listener
	target   string
	wiring

	mu      sync.Mutex
	now     []*net.TCPConn // the present connection's ends
	made    int            // connections
	running int            // pumps
	reached int            // cuts that were made
}

// wiring is what a relay does besides relaying. Connections count from 0.
type wiring struct {
	cuts    func(connection int) cut
	rewrite func(connection int) rewrite
	tap     *tap
}

// cut is behind how many bytes of a direction a connection is reset; 0: it is not.
type cut struct{ down, up int64 }

// rewrite changes old to new wherever the gateway says it; empty: nothing.
type rewrite struct{ old, new string }

// startRelay leads to the address target.
func startRelay(t *testing.T, target string, w wiring) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
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
	r.mu.Lock()
	defer r.mu.Unlock()
	var c cut
	if r.cuts != nil {
		c = r.cuts(r.made)
	}
	var change rewrite
	if r.rewrite != nil {
		change = r.rewrite(r.made)
	}
	r.now = []*net.TCPConn{client, server}
	r.made++
	r.running += 2
	watch := r.tap.stream()
	var both sync.WaitGroup
	both.Go(func() { r.pump(server, client, c.down, watch.down, nil) })
	both.Go(func() { r.pump(client, server, c.up, watch.up, &changer{rewrite: change}) })
	go func() {
		both.Wait()
		client.Close()
		server.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running -= 2
	}()
}

// pump passes on one direction of a connection, up to its end or behind most bytes.
func (r *relay) pump(from, to *net.TCPConn, most int64, see func([]byte), c *changer) {
	buf := make([]byte, 64<<10)
	for passed := int64(0); ; {
		room := int64(len(buf))
		if most > 0 {
			room = min(room, most-passed)
		}
		if room == 0 {
			r.mu.Lock()
			r.reached++
			r.mu.Unlock()
			reset(from, to)
			return
		}
		n, err := from.Read(buf[:room])
		passed += int64(n)
		see(buf[:n])
		_, failed := to.Write(c.change(buf[:n]))
		if failed != nil && c == nil {
			// The gateway is gone. What it had put on the wire is on its way up still.
			return
		}
		if err != nil || failed != nil {
			_ = to.CloseWrite()
			return
		}
	}
}

// reset resets both ends of a connection.
func reset(ends ...*net.TCPConn) {
	for _, c := range ends {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

// sever resets the present connection, if there is one.
func (r *relay) sever() {
	r.mu.Lock()
	defer r.mu.Unlock()
	reset(r.now...)
	r.now = nil
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

func (r *relay) connections() int {
	n, _ := r.count()
	return n
}

// count is the number of connections, and of cuts.
func (r *relay) count() (connections, cuts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.made, r.reached
}

// changer applies a rewrite to a stream. Of what it has been given it keeps back what may
// be the beginning of the old words. Nil changes nothing.
type changer struct {
	rewrite
	kept []byte
}

func (c *changer) change(b []byte) []byte {
	if c == nil || c.old == "" {
		return b
	}
	b = bytes.ReplaceAll(append(c.kept, b...), []byte(c.old), []byte(c.new))
	n := min(len(b), len(c.old)-1)
	for n > 0 && !bytes.HasPrefix([]byte(c.old), b[len(b)-n:]) {
		n--
	}
	c.kept = bytes.Clone(b[len(b)-n:])
	return b[:len(b)-n]
}
