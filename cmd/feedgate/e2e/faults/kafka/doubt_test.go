package kafka

import (
	"bytes"
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
			c.reanswer.Store(int32(fault.Code))
			g.Send(0, []byte("doubtful")) // alone in its batch, as the others are
			g.WaitFor("the answer", func() bool { return c.reanswer.Load() == 0 })
			c.answers(func(_ string, records []byte) *kerr.Error {
				if bytes.Contains(records, []byte("doubtful")) {
					return kerr.InvalidRecord
				}
				return nil
			})
			g.Wait(2)
			g.Send(0, []byte("last"))
			g.Wait(3)
			if g.Code(1) != worker.Refused && g.Code(1) != worker.OK || g.Code(2) != worker.OK {
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
