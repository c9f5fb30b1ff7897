package admin

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxConns limits the connections, so that idle ones leave descriptors for the upstreams. A
// scraper and a health check need one each.
const maxConns = 64

// connLimit tracks a server's connections. If there are too many, it closes the one that has
// waited longest for its peer, so that requests are answered however many connections are held
// open.
type connLimit struct {
	mu    sync.Mutex
	conns []tracked // in the order of their last change
}

type tracked struct {
	conn net.Conn
	busy bool // a request is being read or answered
}

// track is the server's [http.Server.ConnState].
func (c *connLimit) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.conns, func(t tracked) bool { return t.conn == conn }); i >= 0 {
		c.conns = slices.Delete(c.conns, i, i+1)
	} else if state != http.StateNew {
		return // it was closed for another
	}
	if state == http.StateClosed || state == http.StateHijacked {
		return
	}
	if state == http.StateNew && len(c.conns) == maxConns {
		i := max(0, slices.IndexFunc(c.conns, func(t tracked) bool { return !t.busy }))
		_ = c.conns[i].conn.Close() // the peer notices
		c.conns = slices.Delete(c.conns, i, i+1)
	}
	c.conns = append(c.conns, tracked{conn, state == http.StateActive})
}
