package gateway

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	errorx "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"

	_ "feedgate/gateway/gnetlog" // gnet's poller logs what it also returns
)

// poller is a gnet poller, and the goroutine that blocks in it and runs the loops of all reactors that
// share it. A blocked poller takes a thread, so a process has no more of them than it can use CPUs.
type poller struct {
	*netpoll.Poller
	byFD  map[int]*reactor // by descriptor; the goroutine owns it and loops
	loops int              // that have begun and not ended
	users int              // reactors; guarded by pollers.mu

	ended chan struct{} // closed when the goroutine ends
	err   error         // why it has ended, if reactors still use it; valid after ended
}

// pollers are those of the process.
var pollers struct {
	mu   sync.Mutex
	list []*poller
}

// usePoller opens a poller, or, if there are as many as GOMAXPROCS, returns the one with the fewest
// reactors. The caller must call leave.
func usePoller() (*poller, error) {
	pollers.mu.Lock()
	defer pollers.mu.Unlock()
	if len(pollers.list) < runtime.GOMAXPROCS(0) {
		p, err := openPoller()
		if err != nil {
			return nil, err
		}
		pollers.list = append(pollers.list, p)
	}
	p := slices.MinFunc(pollers.list, func(a, b *poller) int { return a.users - b.users })
	p.users++
	return p, nil
}

// openPoller makes a poller and starts its goroutine.
func openPoller() (*poller, error) {
	opened, err := netpoll.OpenPoller()
	if err != nil {
		return nil, fmt.Errorf("open the poller: %w", err)
	}
	p := &poller{Poller: opened, byFD: make(map[int]*reactor), ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		if err := p.Polling(p.onEvent); !errors.Is(err, errorx.ErrEngineShutdown) {
			p.err = fmt.Errorf("poll: %w", err)
			pollers.mu.Lock()
			p.unlist()
			pollers.mu.Unlock()
		}
	}()
	return p, nil
}

// leave ends the use of the poller by a reactor, which has no descriptor in it any more. The last one
// closes it.
func (p *poller) leave() error {
	pollers.mu.Lock()
	p.users--
	last := p.users == 0
	if last {
		p.unlist()
	}
	pollers.mu.Unlock()
	if !last {
		return nil
	}
	p.post(func() error { return errorx.ErrEngineShutdown })
	<-p.ended
	return p.Close()
}

// unlist keeps other reactors from using the poller. The caller holds pollers.mu.
func (p *poller) unlist() {
	pollers.list = slices.DeleteFunc(pollers.list, func(other *poller) bool { return other == p })
}

// post calls f on the poller's goroutine, which ends if f returns gnet's ErrEngineShutdown.
func (p *poller) post(f func() error) {
	if err := p.Trigger(queue.HighPriority, func(any) error { return f() }, nil); err != nil {
		panic("gateway: wake the poller: " + err.Error()) // a write to our own eventfd cannot fail
	}
}

// onEvent handles an event.
func (p *poller) onEvent(fd int, event netpoll.IOEvent, _ netpoll.IOFlags) error {
	if r := p.byFD[fd]; r != nil {
		r.onEvent(fd, event)
	}
	return nil
}
