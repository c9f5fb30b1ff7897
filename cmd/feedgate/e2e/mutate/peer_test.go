package mutate

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// maxReceived limits the bytes kept from a gateway. No conversation requires as many.
const maxReceived = 8 << 20

// peer is the server's end of a connection. It has its own goroutine for reading; another one calls
// the methods.
type peer struct {
	raw  *net.TCPConn
	conn net.Conn // raw, or TLS over it

	news chan struct{} // a token: got has grown
	done chan struct{} // closed at the end of the stream

	mu  sync.Mutex
	got []byte
}

// newPeer starts reading.
func newPeer(raw *net.TCPConn, conn net.Conn) *peer {
	p := &peer{raw: raw, conn: conn, news: make(chan struct{}, 1), done: make(chan struct{})}
	go p.read()
	return p
}

func (p *peer) read() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		if len(p.got)+n < maxReceived {
			p.got = append(p.got, buf[:n]...)
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case p.news <- struct{}{}:
		default:
		}
	}
}

// received returns a copy of the bytes received so far.
func (p *peer) received() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]byte(nil), p.got...)
}

// await waits until suffice returns true for the bytes received, for limit at most. It returns false
// after that.
func (p *peer) await(limit time.Duration, suffice func(got []byte) bool) bool {
	late := time.After(limit)
	for {
		if suffice(p.received()) {
			return true
		}
		select {
		case <-p.news:
		case <-p.done:
			return suffice(p.received())
		case <-late:
			return false
		}
	}
}

// send writes b in random pieces, with occasional pauses. It stops at the first error, because a gateway
// may close after a protocol error.
func (p *peer) send(d *rand.Rand, b []byte) {
	for pieces := d.IntN(1 << d.IntN(5)); len(b) > 0; pieces-- {
		n := len(b)
		if pieces > 0 {
			n = 1 + d.IntN(n)
		}
		if _, err := p.conn.Write(b[:n]); err != nil {
			return
		}
		if b = b[n:]; d.IntN(40) == 0 {
			time.Sleep(time.Duration(d.IntN(2000)) * time.Microsecond)
		}
	}
}

// finish closes the sending side, and reads to the end.
func (p *peer) finish() {
	if secure, ok := p.conn.(*tls.Conn); ok {
		_ = secure.CloseWrite()
	}
	_ = p.raw.CloseWrite()
	<-p.done // bounded by the connection's deadline
	_ = p.raw.Close()
}

// reset resets the connection.
func (p *peer) reset() {
	_ = p.raw.SetLinger(0)
	p.close()
}

// close closes the connection, which sends a reset if bytes are unread.
func (p *peer) close() {
	_ = p.raw.Close()
	<-p.done
}
