package admin

import (
	"net"
	"net/http"
	"testing"
)

// closable is a connection that counts its closes.
type closable struct {
	net.Conn
	closes int
}

func (c *closable) Close() error {
	c.closes++
	return nil
}

// TestConnLimit: the connection that has waited longest is closed; a busy one only if all are
// busy.
func TestConnLimit(t *testing.T) {
	var c connLimit
	var all []*closable
	add := func() *closable {
		conn := new(closable)
		c.track(conn, http.StateNew)
		all = append(all, conn)
		return conn
	}
	for range maxConns {
		add()
	}
	c.track(all[0], http.StateActive)
	c.track(all[1], http.StateActive)
	c.track(all[1], http.StateIdle) // has waited less than all others
	add()
	if all[2].closes != 1 {
		t.Error("the connection that waits longest was not closed")
	}
	c.track(all[2], http.StateClosed)
	for _, conn := range all[3:] {
		c.track(conn, http.StateActive)
	}
	add()
	if all[1].closes != 1 {
		t.Error("the idle connection was not closed for a busy one")
	}
	c.track(all[1], http.StateClosed)
	c.track(all[maxConns+1], http.StateActive)
	add()
	if all[0].closes != 1 {
		t.Error("of busy connections, the oldest was not closed")
	}
	c.track(all[3], http.StateClosed)
	add()
	closes := 0
	for _, conn := range all {
		closes += conn.closes
	}
	if closes != 3 || len(c.conns) != maxConns {
		t.Errorf("%d connections were closed and %d are left, want 3 and %d", closes, len(c.conns), maxConns)
	}
}
