package feedserver

import (
	"context"
	"sync"

	"github.com/panjf2000/gnet/v2"
)

// tasks hands functions to the gnet loop from any goroutine. After close it hands
// over none: gnet would wake a loop that is gone by a descriptor that may be
// another's by then.
type tasks struct {
	mu     sync.Mutex
	el     gnet.EventLoop // nil before the first connection
	closed bool
}

// bind says which loop it is. It returns true the first time.
func (t *tasks) bind(el gnet.EventLoop) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.el == nil
	t.el = el
	return first
}

// loop is the loop; there has been a connection.
func (t *tasks) loop() gnet.EventLoop {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.el
}

// run makes the loop call f. It returns false when there is no loop.
func (t *tasks) run(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.el == nil || t.closed {
		return false
	}
	return t.el.Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
		f()
		return nil
	})) == nil
}

func (t *tasks) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
}

func (t *tasks) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}
