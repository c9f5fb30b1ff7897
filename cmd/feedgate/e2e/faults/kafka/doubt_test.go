package kafka

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
)

// answers answers produce requests: f returns the error for each record batch, nil to store it. A
// request is stored whole, unless f returns an error for any of its batches: then the others are
// answered with NOT_ENOUGH_REPLICAS, and sent again.
func (c *cluster) answers(f func(topic string, records []byte) *kerr.Error) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		request := r.(*kmsg.ProduceRequest)
		answer := request.ResponseKind().(*kmsg.ProduceResponse)
		found := false
		for _, t := range request.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition = p.Partition
				part.ErrorCode = kerr.NotEnoughReplicas.Code
				if fault := f(t.Topic, p.Records); fault != nil {
					found = true
					part.ErrorCode = fault.Code
				}
				topic.Partitions = append(topic.Partitions, part)
			}
			answer.Topics = append(answer.Topics, topic)
		}
		return answer, nil, found
	})
}

// TestAfterAppend: a broker stores a record batch, answers as it does if it then loses leadership,
// its disk or its replicas, and refuses the batch the second time. The next message is stored, and
// not taken for the first one.
func TestAfterAppend(t *testing.T) {
	for _, fault := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition, kerr.RequestTimedOut,
		kerr.NotEnoughReplicasAfterAppend, {Code: 999},
	} {
		t.Run(fault.Message, func(t *testing.T) {
			c := startCluster(t, 1)
			g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders", sink.Config{}), 1, inFlight)
			g.Send(0, []byte("first"))
			g.Wait(1)
			attempts := 0
			c.answers(func(_ string, records []byte) *kerr.Error {
				if !bytes.Contains(records, []byte("doubtful")) {
					return nil
				}
				if attempts++; attempts == 1 {
					return nil // stored; the answer is replaced
				}
				return kerr.InvalidRecord
			})
			c.reanswer.Store(int32(fault.Code))
			g.Send(0, []byte("doubtful")) // alone in its batch, as the others are
			g.Wait(2)
			g.Send(0, []byte("last"))
			g.Wait(3)
			if g.Code(1) != worker.Refused || g.Code(2) != worker.OK {
				t.Errorf("codes %d, %d", g.Code(1), g.Code(2))
			}
			var all []string
			for _, r := range c.stored() {
				all = append(all, string(r.Value))
			}
			if want := []string{"first", "doubtful", "last"}; !slices.Equal(all, want) {
				t.Errorf("stored %q, want %q", all, want)
			}
		})
	}
}

// TestProducerID: partitions need another producer ID again and again, within one batch of the sink.
// No record batch is sent without one, and none is taken for another.
func TestProducerID(t *testing.T) {
	c := startCluster(t, 1)
	if err := c.CreateTopic("small", 1, map[string]string{"max.message.bytes": "3000"}); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/small", sink.Config{}), 1, inFlight)
	for range 60 {
		g.Send(0, bytes.Repeat([]byte("w"), 100))
	}
	g.Wait(60) // record batches are small from now on
	attempts := make(map[string]int)
	missing := 0
	c.answers(func(_ string, records []byte) *kerr.Error {
		if int64(binary.BigEndian.Uint64(records[43:])) < 0 {
			missing++
		}
		i := bytes.Index(records, []byte("LARGE"))
		if i < 0 {
			return nil
		}
		name := string(records[i : i+7])
		if attempts[name]++; attempts[name] == 1 {
			return kerr.RequestTimedOut
		}
		return kerr.MessageTooLarge // so that its number is given up
	})
	for i := range 6 {
		g.Send(0, append([]byte("LARGE-"+string(rune('a'+i))), make([]byte, 4000)...))
	}
	for range 20 {
		g.Send(0, bytes.Repeat([]byte("good"), 25))
	}
	g.Wait(86)
	good := 0
	for _, r := range c.storedIn([]string{"small"}) {
		if bytes.HasPrefix(r.Value, []byte("good")) {
			good++
		}
	}
	if missing != 0 || good != 20 || g.Refused != 6 {
		t.Errorf("%d without a producer ID, %d of 20 stored, %d refused of 6", missing, good, g.Refused)
	}
}

// TestInternalTopic: messages that name an internal topic are refused, others are stored. A fixed
// internal topic is found at the start.
func TestInternalTopic(t *testing.T) {
	const internal = "__consumer_offsets"
	c := startCluster(t, 1)
	if err := c.CreateTopic(internal, 1, map[string]string{"kfake.is_internal": "true"}); err != nil {
		t.Fatal(err)
	}
	c.answers(func(topic string, _ []byte) *kerr.Error {
		if topic == internal {
			return kerr.InvalidTopicException
		}
		return nil
	})
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/{field:1:,}", sink.Config{}), 1, inFlight)
	for i := range 6 {
		g.Send(0, []byte([]string{"orders,m", internal + ",m"}[i%2]))
	}
	g.Wait(6)
	for i := range 6 {
		if want := []worker.Code{worker.OK, worker.Refused}[i%2]; g.Code(i) != want {
			t.Errorf("message %d has the code %d, want %d", i, g.Code(i), want)
		}
	}
	g.Stop()
	if c.count("orders") != 3 || c.count(internal) != 0 {
		t.Errorf("%d and %d stored", c.count("orders"), c.count(internal))
	}
	wantDenied(t, "kafka://"+c.hosts()+"/"+internal, sink.Config{}, "topic "+internal+" is internal")
}

// TestOldTime: messages that a broker refuses because of the time in their record batch are sent with
// a new time, until it is accepted.
func TestOldTime(t *testing.T) {
	for _, doubtful := range []bool{false, true} {
		c := startCluster(t, 3)
		times := make(map[uint64]bool)
		attempts := 0
		c.answers(func(_ string, records []byte) *kerr.Error {
			if attempts++; doubtful && attempts == 1 {
				return kerr.RequestTimedOut
			}
			if times[binary.BigEndian.Uint64(records[27:])] = true; len(times) < 4 {
				return kerr.InvalidTimestamp
			}
			return nil
		})
		g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{}), 2, inFlight)
		all := messages(keys, 200)
		feed(c, g, 2, inFlight, all, nil)
		if n := checkStored(t, c.stored(), all); n != 0 || g.Refused != 0 {
			t.Errorf("%d duplicates, %d refused", n, g.Refused)
		}
		g.Stop()
	}
}
