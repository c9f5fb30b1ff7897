package feedserver

import (
	"fmt"
	"sync"

	"feedgate/gateway/gnetlog"
)

// gnetErrors is a [logging.Logger] that writes nothing and keeps the first error: why its
// engine has ended, gnet only logs. Any goroutine may call its methods.
type gnetErrors struct {
	gnetlog.None

	mu    sync.Mutex
	first error
}

// Errorf keeps the error.
func (g *gnetErrors) Errorf(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil {
		g.first = fmt.Errorf(format, args...)
	}
}

// err is the first error, or nil.
func (g *gnetErrors) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}
