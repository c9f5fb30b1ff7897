package kit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// connection is a Config.Connect whose results the test chooses.
type connection struct{ answers chan error }

func (c connection) connect(ctx context.Context) error {
	select {
	case err := <-c.answers:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestUnreachableAtTheStart: until the server can be reached, the sink is not ready and sends
// nothing. Start does not wait for that.
func TestUnreachableAtTheStart(t *testing.T) {
	c := connection{make(chan error)}
	s, log := new(server), new(testkit.Log)
	k := open(t, s, Config{Connect: c.connect}, sink.Config{Log: log.Logger()})
	started := make(chan error)
	go func() { started <- k.Start(t.Context(), 1) }()
	testkit.Eventually(t, "the first attempt", func() bool { return errors.Is(k.Ready(), errConnecting) })
	c.answers <- errAway
	if err := <-started; err != nil || !errors.Is(k.Ready(), errAway) {
		t.Errorf("start: %v; ready: %v", err, k.Ready())
	}
	g := handlertest.Start(t, k, 2, 64)
	g.Send(0, []byte("a"))
	g.Send(1, []byte("b"))
	for range 4 { // after longer and longer waits; a sender that did not wait for the connection would send
		c.answers <- errAway
	}
	g.WantResolved(0)
	if len(s.batches()) != 0 {
		t.Error("a message was sent before Connect succeeded")
	}
	c.answers <- nil
	g.Wait(2)
	g.Stop()
	if k.Ready() != nil || log.Count("cannot be reached") == 0 || log.Count("connected to the sink's server") != 1 {
		t.Errorf("ready: %v, log %s", k.Ready(), log)
	}
}

// TestDeniedAtTheStart: wrong settings make Start fail, with an error that names the flag; if Start
// has returned before, the sink fails.
func TestDeniedAtTheStart(t *testing.T) {
	denied := fmt.Errorf("%w: no such topic", ErrDenied)
	c := connection{make(chan error, 2)}
	c.answers <- denied
	k := open(t, new(server), Config{Connect: c.connect}, sink.Config{})
	if err := k.Start(t.Context(), 1); err == nil || err.Error() != "--sink: denied: no such topic" {
		t.Errorf("start: %v", err)
	}
	<-k.Failed()

	c.answers <- errAway
	c.answers <- denied
	k = open(t, new(server), Config{Connect: c.connect}, sink.Config{})
	if err := k.Start(t.Context(), 1); err != nil {
		t.Errorf("start: %v", err)
	}
	<-k.Failed()
	if !errors.Is(k.Err(), ErrDenied) {
		t.Errorf("failed: %v", k.Err())
	}
}

// TestConnectTimeout: a server that does not answer counts as one that cannot be reached.
func TestConnectTimeout(t *testing.T) {
	k := open(t, new(server), Config{Connect: connection{}.connect}, sink.Config{ConnectTimeout: time.Millisecond})
	if err := k.Start(t.Context(), 1); err != nil || k.Ready() == nil || !strings.Contains(k.Ready().Error(), "--connect-timeout") {
		t.Errorf("start: %v, ready: %v", err, k.Ready())
	}
}

// TestStartIsEnded: the end of its context ends Start.
func TestStartIsEnded(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	k := open(t, new(server), Config{Connect: connection{}.connect}, sink.Config{})
	if err := k.Start(stopped, 1); err != nil {
		t.Errorf("a start that is ended: %v", err)
	}
}

// TestLostConnection: the sink is not ready while a client has no connection, also if no message
// fails.
func TestLostConnection(t *testing.T) {
	log := new(testkit.Log)
	k := open(t, new(server), Config{}, sink.Config{Log: log.Logger()})
	g := handlertest.Start(t, k, 2, 64)
	if k.Ready() != nil {
		t.Errorf("ready: %v", k.Ready())
	}
	k.SetDown(1, errAway)
	k.SetDown(1, errAway)
	k.SetDown(0, nil)
	if !errors.Is(k.Ready(), errAway) || log.Count("connection to the sink's server is lost") != 1 {
		t.Errorf("ready: %v, log %s", k.Ready(), log)
	}
	k.SetDown(1, nil)
	if k.Ready() != nil || log.Count("connected to the sink's server again") != 1 {
		t.Errorf("ready: %v, log %s", k.Ready(), log)
	}
	k.SetDown(0, errAway)
	g.Stop()
	if k.Ready() != nil {
		t.Errorf("a client that is closed: %v", k.Ready())
	}
}
