package admin

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxConns bounds the connections, so that those which somebody holds leave descriptors to
// the upstreams. A scraper and a health check need one each.
const maxConns = 64

// crowd are a server's connections. When there are too many, the one that has waited longest
// for its peer makes room, and so a request is answered however many are held.
type crowd struct {
	mu    sync.Mutex
	conns []member // in the order of their last change
}

type member struct {
	conn net.Conn
	busy bool // a request is being read or answered
}

// track is the server's hook [http.Server.ConnState].
func (c *crowd) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.conns, func(m member) bool { return m.conn == conn }); i >= 0 {
		c.conns = slices.Delete(c.conns, i, i+1)
	} else if state != http.StateNew {
		return // it has made room
	}
	if state == http.StateClosed || state == http.StateHijacked {
		return
	}
	if state == http.StateNew && len(c.conns) == maxConns {
		i := max(0, slices.IndexFunc(c.conns, func(m member) bool { return !m.busy }))
		_ = c.conns[i].conn.Close() // its peer gets to know
		c.conns = slices.Delete(c.conns, i, i+1)
	}
	c.conns = append(c.conns, member{conn, state == http.StateActive})
}
