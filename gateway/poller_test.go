package gateway

import (
	"context"
	"os"
	"runtime"
	"testing"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// threads returns how many threads the process has.
func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// openPollers returns the pollers of the process, by their number of reactors.
func openPollers() (users []int) {
	pollers.mu.Lock()
	defer pollers.mu.Unlock()
	for _, p := range pollers.list {
		users = append(users, p.users)
	}
	return users
}

// TestGatewaysSharePollers: many gateways do their work with few threads, each ends on its own, and the
// pollers end with the last.
func TestGatewaysSharePollers(t *testing.T) {
	if n := len(openPollers()); n > 0 {
		t.Fatalf("%d pollers are left of earlier tests", n)
	}
	const gateways, each = 60, 300
	feed, before := newTestFeed(t), threads(t)
	var all []*running
	var conns []*feedConn
	for range gateways {
		all = append(all, start(t, Config{
			Protocol: fg1.Protocol{}, Hosts: []string{feed.ln.Addr().String()}, Workers: 1, ExitOnClose: true,
			Sink: worker.Each(func(context.Context, worker.Message) error { return nil }),
		}))
		conns = append(conns, feed.login(1, `{"session":"s"}`))
	}
	users := openPollers()
	if most := runtime.GOMAXPROCS(0); len(users) > most || sum(users) != gateways {
		t.Errorf("%d pollers of %v gateways, want %d of %d", len(users), users, most, gateways)
	}
	if now := threads(t); now > before+gateways/2 {
		t.Errorf("%d threads, %d before there were %d gateways", now, before, gateways)
	}
	for i, c := range conns {
		for seq := range uint64(each) {
			c.data(seq+1, "x")
		}
		for seq := range uint64(each) {
			c.expect(fg1.Ack, 0, seq+1)
		}
		c.bye()
		c.expect(fg1.Bye, 0, 0)
		c.Close()
		if err := all[i].wait(); err != nil {
			t.Errorf("gateway %d: %v", i, err)
		}
	}
	if users := openPollers(); len(users) > 0 {
		t.Errorf("pollers of %v gateways are left", users)
	}
}

func sum(all []int) (n int) {
	for _, v := range all {
		n += v
	}
	return n
}
