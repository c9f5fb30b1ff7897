package nsq

import (
	"fmt"
	"time"

	"github.com/nsqio/nsq/nsqd"

	"feedgate/cmd/feedgate/feedserver"
)

// tally accumulates nsqd's statistics.
type tally struct {
	// clients has the last figures of each client by its address, because nsqd drops those of
	// closed connections.
	clients map[string]nsqd.ClientV2Stats

	sent, finished     uint64
	requeued, timedOut uint64

	looked      time.Time // time of the last statistics
	begun, last time.Time // no message was sent before begun, none was finished after last
}

// take adds statistics that were requested at from and received at to.
func (t *tally) take(c nsqd.ChannelStats, from, to time.Time) {
	if t.clients == nil {
		t.clients = make(map[string]nsqd.ClientV2Stats)
	}
	for _, client := range c.Clients {
		if stats, ok := client.(nsqd.ClientV2Stats); ok {
			t.clients[stats.RemoteAddress] = stats
		}
	}
	before := t.finished
	t.sent, t.finished = 0, 0
	for _, stats := range t.clients {
		t.sent += stats.MessageCount
		t.finished += stats.FinishCount
	}
	t.requeued, t.timedOut = c.RequeueCount, c.TimeoutCount
	if t.begun.IsZero() && t.sent > 0 {
		// At the last statistics, nothing had been sent.
		if t.begun = t.looked; t.begun.IsZero() {
			t.begun = from
		}
	}
	if t.finished > before {
		t.last = to
	}
	t.looked = from
}

// seconds returns the time from the first message to now.
func (t *tally) seconds(now time.Time) float64 {
	if t.begun.IsZero() {
		return 0
	}
	return now.Sub(t.begun).Seconds()
}

func (t *tally) counts(cfg Config) feedserver.Counts {
	c := feedserver.Counts{
		Sent: t.sent, Acknowledged: t.finished, Refused: t.requeued,
		Missing: t.sent - min(t.sent, t.finished+t.requeued),
		Unsent:  cfg.Count - min(cfg.Count, t.sent), Connections: len(t.clients),
	}
	if c.Seconds = t.seconds(t.last); c.Seconds > 0 {
		c.MsgsPerS = float64(t.finished) / c.Seconds
		c.MBPerS = c.MsgsPerS * float64(cfg.Size) / 1e6
	}
	return c
}

// err returns faults that are in no count.
func (t *tally) err() error {
	if t.timedOut > 0 {
		return fmt.Errorf("%d messages timed out in flight", t.timedOut)
	}
	return nil
}
