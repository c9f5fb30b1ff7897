package nsq

import (
	"sync/atomic"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
	"feedgate/cmd/feedgate/e2e/testkit"
)

const (
	sourceBatch = 200
	// sourceAhead is the number of unfinished messages above which a source pauses.
	sourceAhead = 4000
)

// source publishes numbered messages endlessly, and pauses while nsqd has enough. A batch that may
// have failed is published again. Its goroutine runs until finish, or the end of the test.
type source struct {
	t         *testing.T
	d         *nsqtest.Nsqd
	base      uint64        // its numbers begin above this
	published atomic.Uint64 // messages that nsqd has accepted
	stop      chan struct{}
	done      chan struct{}
}

func publish(t *testing.T, d *nsqtest.Nsqd) *source { return publishFrom(t, d, 0) }

func publishFrom(t *testing.T, d *nsqtest.Nsqd, base uint64) *source {
	s := &source{t: t, d: d, base: base, stop: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	t.Cleanup(func() { s.finish() })
	return s
}

func (s *source) run() {
	defer close(s.done)
	batch := make([][]byte, sourceBatch)
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		if c, err := s.d.Channel(topic, channel); err != nil || c.Unfinished() > sourceAhead {
			continue
		}
		n := s.published.Load()
		for i := range batch {
			batch[i] = numbered(s.base+n+uint64(i)+1, digits)
		}
		if s.d.Publish(topic, batch...) == nil {
			s.published.Store(n + sourceBatch)
		}
	}
}

// finish stops the source and returns how many messages were published. It may be called again.
func (s *source) finish() uint64 {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	<-s.done
	return s.published.Load()
}

// publishAll publishes the numbers from first to last, of size bytes each.
func publishAll(t *testing.T, d *nsqtest.Nsqd, first, last uint64, size int) {
	t.Helper()
	const most = 50_000
	for first <= last {
		var batch [][]byte
		for ; first <= last && len(batch) < most; first++ {
			batch = append(batch, numbered(first, size))
		}
		if err := d.Publish(topic, batch...); err != nil {
			t.Fatal(err)
		}
	}
}

// startNsqd starts an nsqd that has the channel.
func startNsqd(t *testing.T, flags ...string) *nsqtest.Nsqd {
	t.Helper()
	d := nsqtest.StartNsqd(t, flags...)
	d.CreateChannel(topic, channel)
	return d
}

// channelStats returns nsqd's statistics of the channel.
func channelStats(t *testing.T, d *nsqtest.Nsqd) nsqtest.Channel {
	t.Helper()
	c, err := d.Channel(topic, channel)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// await waits until done returns true for the channel's statistics, and returns them.
func await(t *testing.T, d *nsqtest.Nsqd, what string, done func(nsqtest.Channel) bool) (c nsqtest.Channel) {
	t.Helper()
	testkit.Eventually(t, what, func() bool { c = channelStats(t, d); return done(c) })
	return c
}

// awaitFinished waits until nsqd has received at least n messages and none is left.
func awaitFinished(t *testing.T, d *nsqtest.Nsqd, n uint64) nsqtest.Channel {
	t.Helper()
	return await(t, d, "all finished", func(c nsqtest.Channel) bool { return c.Messages >= n && c.Unfinished() == 0 })
}

// awaitAll waits until nsqd has nothing left and the file has every number up to last. It ignores
// nsqd's message count, which restarts at 0 with the process.
func awaitAll(t *testing.T, d *nsqtest.Nsqd, l *testkit.Ledger, last uint64) {
	t.Helper()
	await(t, d, "nothing left", func(c nsqtest.Channel) bool { return c.Unfinished() == 0 })
	testkit.Eventually(t, "every message in the file", func() bool {
		lost, _ := l.Missing(last)
		return lost == 0 || t.Failed()
	})
	l.CheckComplete(last)
}
