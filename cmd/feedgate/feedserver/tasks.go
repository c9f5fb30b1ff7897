package feedserver

import (
	"context"
	"sync"

	"github.com/panjf2000/gnet/v2"
)

// tasks posts functions to the gnet loop. After close it posts none: gnet would wake the ended loop
// through a descriptor that may have been reused. Any goroutine may call its methods.
type tasks struct {
	mu     sync.Mutex
	el     gnet.EventLoop // nil before the first connection
	closed bool
}

// bind sets the loop. It returns true the first time.
func (t *tasks) bind(el gnet.EventLoop) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.el == nil
	t.el = el
	return first
}

// loop returns the loop; nil before the first connection.
func (t *tasks) loop() gnet.EventLoop {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.el
}

// post makes the loop call f; false if there is no loop.
func (t *tasks) post(f func()) bool {
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
