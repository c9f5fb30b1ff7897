package testkit

import "sync"

// Gate holds a goroutine up while it is shut. It begins open. Any goroutine may use it.
type Gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed on opening; nil: open
}

// Close shuts the gate.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

// Open lets go on who waits.
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
