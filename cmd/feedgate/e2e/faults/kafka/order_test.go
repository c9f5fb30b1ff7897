package kafka

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
)

const workers, keys, inFlight = 4, 37, 512

// TestOrder: without faults, each key is in its partition, in order, and messages carry their keys.
func TestOrder(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			c := startCluster(t, 7, kfake.NumBrokers(3))
			g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?compression="+compression+"&"+byKey, sink.Config{}), workers, inFlight)
			all := messages(keys, 5000)
			feed(c, g, workers, inFlight, all, nil)
			g.Stop()
			stored := c.stored()
			if n := checkStored(t, stored, all); n != 0 || g.Refused != 0 {
				t.Errorf("%d duplicates, %d refused", n, g.Refused)
			}
			for _, r := range stored {
				if string(r.Key) != keyOf(string(r.Value)) {
					t.Fatalf("%q has the key %q", r.Value, r.Key)
				}
			}
		})
	}
}

// passing are errors that pass: a record batch is sent again until it is stored, and is stored once.
var passing = []*kerr.Error{
	kerr.UnknownServerError, kerr.CorruptMessage, kerr.UnknownTopicOrPartition, kerr.LeaderNotAvailable,
	kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.BrokerNotAvailable, kerr.ReplicaNotAvailable,
	kerr.NetworkException, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError,
	kerr.FencedLeaderEpoch, kerr.ThrottlingQuotaExceeded,
}

// TestFaultRun: whatever brokers and connections do, each key is stored in order, nothing is lost or
// stored twice, and nothing is acknowledged before it is stored.
func TestFaultRun(t *testing.T) {
	rng := testkit.Rand(t)
	c := startCluster(t, 7, kfake.NumBrokers(3))
	out := open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{})
	g := handlertest.Start(t, out, workers, inFlight)
	seed := rng.Uint64()
	c.lose(func(loss) bool { return rand.IntN(60) == 0 })
	step := func(i int) {
		switch rng.IntN(200) {
		case 0:
			c.ShufflePartitionLeaders()
		case 1:
			if err := c.MoveTopicPartition("orders", rng.Int32N(7), rng.Int32N(3)); err != nil {
				t.Error(err)
			}
		case 2, 3, 4:
			c.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders", Partitions: []int32{rng.Int32N(7)},
				Err: passing[rng.IntN(len(passing))], Count: 1 + rng.IntN(3),
			})
		case 5:
			c.open.reset()
		}
	}
	all := messages(keys, testkit.Form(6000, 60_000))
	feed(c, g, workers, inFlight, all, step)
	g.Stop()
	c.lose(nil)
	if n := checkStored(t, c.stored(), all); n != 0 || g.Refused != 0 {
		t.Errorf("%d duplicates, %d refused, seed %d", n, g.Refused, seed)
	}
}

// TestPassingErrors: each error that passes, on every partition, six times in a row.
func TestPassingErrors(t *testing.T) {
	for _, fault := range passing {
		t.Run(fault.Message, func(t *testing.T) {
			c := startCluster(t, 3)
			g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{}), 2, inFlight)
			all := messages(5, 400)
			for p := range int32(3) {
				c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders", Partitions: []int32{p}, Err: fault, Count: 6})
			}
			feed(c, g, 2, 64, all, nil)
			g.Stop()
			if n := checkStored(t, c.stored(), all); n != 0 || g.Refused != 0 {
				t.Errorf("%d duplicates, %d refused", n, g.Refused)
			}
		})
	}
}

// TestLostAnswer: a broker stores every record batch, but its first answer to each is lost. Nothing is
// stored twice.
func TestLostAnswer(t *testing.T) {
	c := startCluster(t, 3)
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{}), 2, inFlight)
	all := messages(keys, 1000)
	c.lose(func(what loss) bool {
		return what == answer && rand.IntN(2) == 0
	})
	feed(c, g, 2, 100, all, nil)
	c.lose(nil)
	g.Stop()
	if n := checkStored(t, c.stored(), all); n != 0 {
		t.Errorf("%d duplicates", n)
	}
}

// TestSequenceLost: a broker that has forgotten the sequence numbers. Keys stay in order, and at most
// what was in progress is stored twice.
func TestSequenceLost(t *testing.T) {
	for _, fault := range []*kerr.Error{
		kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping,
	} {
		t.Run(fault.Message, func(t *testing.T) {
			rng := testkit.Rand(t)
			c := startCluster(t, 3)
			g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{}), 2, inFlight)
			all := messages(keys, 2000)
			faults := 0
			feed(c, g, 2, 64, all, func(i int) {
				if i%100 == 0 {
					faults++
					c.Fault(kfake.Fault{
						Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders", Partitions: []int32{rng.Int32N(3)}, Err: fault, Count: 1 + rng.IntN(3),
					})
				}
			})
			g.Stop()
			if n := checkStored(t, c.stored(), all); n != 0 || g.Refused != 0 {
				t.Errorf("%d duplicates, %d refused", n, g.Refused) // the faults came before the broker stored anything
			}
		})
	}
}

// TestWindow: with an upstream window of 20, nothing waits for a timer.
func TestWindow(t *testing.T) {
	c := startCluster(t, 3)
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders", sink.Config{}), 2, 20)
	begin := time.Now()
	const n = 4000
	for i := range n {
		g.WaitFor("room in the window", func() bool { return g.Sent()-g.Resolved < 20 })
		g.Send(i%2, []byte("0-0-x"))
	}
	g.Wait(n)
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("%d messages took %v", n, took)
	}
}
