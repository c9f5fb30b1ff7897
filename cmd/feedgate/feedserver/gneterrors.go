package feedserver

import (
	"fmt"
	"sync"

	"feedgate/gateway/gnetlog"
)

// gnetErrors is a [logging.Logger] that keeps the first error and writes nothing. gnet only logs why its
// engine has ended. Any goroutine may call its methods.
type gnetErrors struct {
	gnetlog.None

	mu    sync.Mutex
	first error
}

// Errorf keeps the error if it is the first one.
func (g *gnetErrors) Errorf(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil {
		g.first = fmt.Errorf(format, args...)
	}
}

// err returns the first error, or nil.
func (g *gnetErrors) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}
