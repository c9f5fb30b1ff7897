package testkit

import "sync"

// Gate blocks a goroutine while it is closed. The zero value is open. Any goroutine may use it.
type Gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed on opening; nil: open
}

// Close closes the gate.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

// Open opens the gate and unblocks whoever waits at it.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *Gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}
