package nsq

import (
	"bytes"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// TestComplaints: errors that nsqd reports are counted by their code. They end the connection; the
// next one works. Under load nsqd closes with commands unread, and the resulting reset can discard
// its error on the way.
func TestComplaints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, reason string
		least        uint64 // errors that must be counted
		rewrite
	}{
		{"topic", "e_bad_topic", 1, rewrite{"SUB faults ", "SUB fa?lts "}},
		{"channel", "e_bad_channel", 1, rewrite{" archive\n", " arch?ve\n"}},
		{"command", "e_invalid", 1, rewrite{"RDY 2500\n", "YDR 2500\n"}},
		{"count", "e_invalid", 1, rewrite{"RDY 2500\n", "RDY 2501\n"}},
		{"body", "e_bad_body", 1, rewrite{`{"client_id"`, `{!client_id"`}},
		{"heartbeat", "e_bad_body", 1, rewrite{`"heartbeat_interval":5000`, `"heartbeat_interval":   1`}},
		{"under load", "e_invalid", 0, rewrite{"FIN ", "NIF "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			complains(t, c.reason, c.least, c.rewrite)
		})
	}
}

func complains(t *testing.T, reason string, least uint64, change rewrite) {
	const count = 2000
	d, l := startNsqd(t, "--msg-timeout=1s"), newLedger(t)
	publishAll(t, d, 1, count, digits)
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Observe: func(connection int) (down, up testkit.Filter) {
		if connection > 0 {
			return nil, nil
		}
		return nil, (&changer{rewrite: change}).change
	}})
	g := start(t, nsqURL(r.Addr()), l.Flag(), "--workers=2")
	awaitFinished(t, d, count)
	l.CheckComplete(count)
	s := g.until("a connection", func(s stats) bool { return s.Connected == 1 })
	connections, _ := r.Counts()
	if n := s.Errors[reason]; n < least || n > 1 || s.Reconnects != 1 || connections != 2 || s.faults(reason, "e_fin_failed", "e_touch_failed") != 0 {
		t.Errorf("%d connections, stats %+v", connections, s)
	}
	g.Stop()
}

// rewrite replaces old by new in the gateway's commands.
type rewrite struct{ old, new string }

// changer applies a rewrite to a stream. It withholds bytes that may begin an old text.
type changer struct {
	rewrite
	withheld []byte
}

func (c *changer) change(b []byte) []byte {
	b = bytes.ReplaceAll(append(c.withheld, b...), []byte(c.old), []byte(c.new))
	n := min(len(b), len(c.old)-1)
	for n > 0 && !bytes.HasPrefix([]byte(c.old), b[len(b)-n:]) {
		n--
	}
	c.withheld = bytes.Clone(b[len(b)-n:])
	return b[:len(b)-n]
}
