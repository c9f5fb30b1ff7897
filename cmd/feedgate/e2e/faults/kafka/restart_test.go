package kafka

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	e2etestkit "feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
)

// TestRestart: the cluster is stopped and started again and again while messages flow. Nothing is
// lost, refused or out of order; as it keeps the sequence numbers, nothing is stored twice.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"), kfake.DataDir(dir)}
	c := startCluster(t, 3, options...)
	_, text, err := net.SplitHostPort(c.hosts())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	options = append(options, kfake.Ports(port))
	out := open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{})
	t.Cleanup(func() { c.Close() }) // before the check for leaks
	g := handlertest.Start(t, out, workers, inFlight)
	all := messages(keys, 2500)
	restarts := e2etestkit.Form(5, 25)
	sent := 0
	send := func() {
		key, err := strconv.Atoi(keyOf(all[sent]))
		if err != nil {
			t.Fatal(err)
		}
		g.Send(key%workers, []byte(all[sent]))
		sent++
	}
	for range restarts {
		for range len(all)/restarts - 1 {
			g.WaitFor("room in the window", func() bool { return g.Sent()-g.Resolved < inFlight })
			send()
		}
		c.Close()
		send()
		g.WaitFor("not ready", func() bool { return out.Ready() != nil })
		c.start(options...)
		g.WaitFor("ready", func() bool { return out.Ready() == nil })
	}
	g.WaitFor("the end", func() bool { return g.Resolved == g.Sent() })
	if n := checkStored(t, c.stored(), all[:sent]); n != 0 || g.Refused != 0 {
		t.Errorf("%d duplicates, %d refused", n, g.Refused)
	}
}

// TestIdleLoss: a cluster that goes away while there are no messages is noticed, and so is that it is
// back.
func TestIdleLoss(t *testing.T) {
	c := startCluster(t, 1)
	_, text, _ := net.SplitHostPort(c.hosts())
	port, _ := strconv.Atoi(text)
	out := open(t, "kafka://"+c.hosts()+"/orders", sink.Config{})
	t.Cleanup(func() { c.Close() }) // before the check for leaks
	g := handlertest.Start(t, out, 1, inFlight)
	g.Send(0, []byte("m"))
	g.Wait(1)
	c.Close()
	g.WaitFor("not ready", func() bool { return out.Ready() != nil && strings.Contains(out.Ready().Error(), "refused") })
	c.start(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"), kfake.Ports(port))
	g.WaitFor("ready", func() bool { return out.Ready() == nil })
}

// TestClose: in every state, the sink ends soon, and leaves nothing behind. Messages without an answer
// stay unresolved.
func TestClose(t *testing.T) {
	for name, prepare := range map[string]func(c *cluster){
		"idle": func(*cluster) {},
		"the broker does not answer a produce request": func(c *cluster) { c.mute(kmsg.Produce) },
		"the broker does not answer about metadata":    func(c *cluster) { c.mute(kmsg.Metadata) },
		"the broker does not answer at all":            func(c *cluster) { c.mute(-1) },
		"connections are lost":                         func(c *cluster) { c.lose(func(loss) bool { return true }) },
		"errors pass never": func(c *cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders", Count: -1})
		},
		"the cluster is away": func(c *cluster) { c.Close() },
	} {
		for _, wait := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				c := startCluster(t, 2)
				out := open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{ConnectTimeout: 5 * time.Second})
				g := handlertest.Start(t, out, 2, inFlight)
				g.Send(0, []byte("0-0-x"))
				g.Wait(1)
				prepare(c)
				for i := range 50 {
					g.Send(i%2, []byte("1-1-x"))
				}
				if wait && name != "idle" {
					g.WaitFor("not ready", func() bool { return out.Ready() != nil })
				}
				begin := time.Now()
				g.Stop()
				if took := time.Since(begin); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
	}
}

// mute makes the cluster leave requests without an answer; -1: all.
func (c *cluster) mute(key kmsg.Key) {
	c.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, true
	})
}
