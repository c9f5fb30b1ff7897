package kafka

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/testkit"
)

// TestTooLarge: messages over the topic's limit are singled out and refused with code 1; the others
// are stored, in order. Batches that are too large only together are split.
func TestTooLarge(t *testing.T) {
	c := startCluster(t, 1)
	if err := c.CreateTopic("small", 1, map[string]string{"max.message.bytes": "3000"}); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/small", sink.Config{}), 1, inFlight)
	large := strings.Repeat("x", 4000)
	var want []string
	for i := range 300 {
		m := fmt.Sprintf("%d-small-%s", i, strings.Repeat("y", 100))
		if i%50 == 49 {
			m = large
		} else {
			want = append(want, m)
		}
		g.Send(0, []byte(m))
	}
	g.Wait(300)
	for i := range 300 {
		code := worker.OK
		if i%50 == 49 {
			code = worker.Refused
		}
		if g.Code(i) != code {
			t.Errorf("message %d has the code %d", i, g.Code(i))
		}
	}
	stored := c.storedIn([]string{"small"})
	if len(stored) != len(want) {
		t.Fatalf("%d stored, want %d", len(stored), len(want))
	}
	for i, r := range stored {
		if string(r.Value) != want[i] {
			t.Fatalf("record %d is %.20q, want %.20q", i, r.Value, want[i])
		}
	}
}

// answerWith answers produce requests with an error for each partition, if bad reports that its
// records are.
func (c *cluster) answerWith(fault *kerr.Error, bad func(records []byte) bool) {
	c.answers(func(_ string, records []byte) *kerr.Error {
		if bad(records) {
			return fault
		}
		return nil
	})
}

// TestBadRecords: messages that the broker refuses are singled out and refused with code 1.
func TestBadRecords(t *testing.T) {
	for _, fault := range []*kerr.Error{kerr.InvalidRecord, kerr.PolicyViolation, kerr.CorruptMessage} {
		t.Run(fault.Message, func(t *testing.T) {
			query, workers, partitions := byKey, 2, int32(3)
			if fault == kerr.CorruptMessage {
				query, workers, partitions = "linger=0s", 1, 1 // with a key, it is not believed
			}
			c := startCluster(t, partitions)
			c.answerWith(fault, func(records []byte) bool { return bytes.Contains(records, []byte("BAD")) })
			g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?"+query, sink.Config{}), workers, inFlight)
			all := messages(keys, 600)
			var good []string
			for i := range all {
				if i%60 == 31 {
					all[i] += "BAD"
				} else {
					good = append(good, all[i])
				}
			}
			feed(c, g, workers, 100, all, nil)
			if n := checkStored(t, c.stored(), good); n != 0 || g.Refused != len(all)-len(good) {
				t.Errorf("%d duplicates, %d refused of %d", n, g.Refused, len(all)-len(good))
			}
		})
	}
}

// TestHeldAnswer: nothing is acknowledged before the broker has answered. After a while without an
// answer, the sink is not ready and says so; and it is again.
func TestHeldAnswer(t *testing.T) {
	c := startCluster(t, 1)
	release := make(chan bool)
	held := make(chan bool)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() {
			select {
			case held <- true:
			case <-release: // a request that was sent again, on a slow machine
			}
			<-release
		})
		return nil, nil, false
	})
	out := open(t, "kafka://"+c.hosts()+"/orders", sink.Config{})
	g := handlertest.Start(t, out, 1, inFlight)
	for range 10 {
		g.Send(0, []byte("0-0-x"))
	}
	g.WaitFor("the request", func() bool {
		select {
		case <-held:
			return true
		default:
			return false
		}
	})
	g.WaitFor("not ready", func() bool {
		return out.Ready() != nil && strings.Contains(out.Ready().Error(), "broker 0 has not answered")
	})
	if g.Resolved != 0 {
		t.Errorf("%d messages are acknowledged before the answer", g.Resolved)
	}
	close(release)
	g.Wait(10)
	g.WaitFor("ready", func() bool { return out.Ready() == nil })
	if n := len(c.stored()); n != 10 {
		t.Errorf("%d stored", n)
	}
}

// TestStall: a broker that never answers some requests. The connection is given up, and the messages
// are stored once.
func TestStall(t *testing.T) {
	c := startCluster(t, 2)
	hung := 0
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		hung++
		return nil, nil, hung <= 2 // no answer at all
	})
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{ConnectTimeout: 200 * time.Millisecond}), 2, inFlight)
	all := messages(keys, 300)
	feed(c, g, 2, inFlight, all, nil)
	if n := checkStored(t, c.stored(), all); n != 0 || hung < 3 {
		t.Errorf("%d duplicates, %d requests", n, hung)
	}
}

// TestRevoked: while an error that concerns every message lasts, none is refused, and the sink is not
// ready and says why. Then all is stored, once and in order.
func TestRevoked(t *testing.T) {
	for _, fault := range []*kerr.Error{
		kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.NotEnoughReplicas, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition,
	} {
		t.Run(fault.Message, func(t *testing.T) {
			c := startCluster(t, 3)
			log := new(testkit.Log)
			out := open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{Log: log.Logger()})
			g := handlertest.Start(t, out, 2, inFlight)
			all := messages(keys, 200)
			feed(c, g, 2, inFlight, all[:100], nil)
			f := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders", Err: fault, Count: -1})
			for i, m := range all[100:] {
				g.Send((i+100)%keys%2, []byte(m))
			}
			g.WaitFor("not ready", func() bool {
				return out.Ready() != nil && strings.Contains(out.Ready().Error(), fault.Message)
			})
			hits := f.Hits()
			g.WaitFor("more attempts", func() bool { return f.Hits() > hits+20 })
			if g.Resolved != 100 {
				t.Errorf("%d are resolved", g.Resolved)
			}
			if n := log.Count("does not take messages; they wait"); n < 1 || n > 2 {
				t.Errorf("%d lines, log\n%s", n, log)
			}
			f.Remove()
			g.Wait(len(all))
			g.WaitFor("ready", func() bool { return out.Ready() == nil })
			if n := checkStored(t, c.stored(), all); n != 0 || g.Refused != 0 {
				t.Errorf("%d duplicates, %d refused", n, g.Refused)
			}
		})
	}
}

// TestTemplate: messages go to the topics that they name. Those for a topic that does not exist are
// refused with code 1, those that make no legal name with code 2, and no topic is created.
func TestTemplate(t *testing.T) {
	c := startCluster(t, 2, kfake.SeedTopics(2, "orders-de", "orders-fr"), kfake.AllowAutoTopicCreation())
	out := open(t, "kafka://"+c.hosts()+"/orders-{json:country:text}?key=json:id", sink.Config{})
	g := handlertest.Start(t, out, 2, inFlight)
	codes := map[string]worker.Code{"de": worker.OK, "fr": worker.OK, "xx": worker.Refused, "d e": worker.BadRequest}
	var countries []string
	for i := range 200 {
		for _, country := range []string{"de", "fr", "xx", "d e"} {
			countries = append(countries, country)
			g.Send(i%2, fmt.Appendf(nil, `{"country":%q,"id":%d}`, country, i))
		}
		g.WaitFor("room in the window", func() bool { return g.Sent()-g.Resolved < inFlight-4 })
	}
	g.Wait(800)
	for i, country := range countries {
		if g.Code(i) != codes[country] {
			t.Fatalf("message %d for %q has the code %d", i, country, g.Code(i))
		}
	}
	for _, r := range c.storedIn([]string{"orders-de", "orders-fr"}) {
		if want := "orders-" + string(r.Value[12:14]); r.Topic != want {
			t.Errorf("%s is in topic %s", r.Value, r.Topic)
		}
	}
	if c.count("orders-de") != 200 || c.count("orders-fr") != 200 || c.TopicInfo("orders-xx") != nil {
		t.Errorf("%d and %d stored, topic orders-xx: %v", c.count("orders-de"), c.count("orders-fr"), c.TopicInfo("orders-xx"))
	}
	// A topic that exists by now is used, once the cluster is asked again; one that is deleted is not.
	if err := c.DeleteTopic("orders-fr"); err != nil {
		t.Fatal(err)
	}
	i := g.Send(0, []byte(`{"country":"fr","id":1}`))
	g.Wait(801)
	if g.Code(i) != worker.Refused {
		t.Errorf("for a deleted topic: code %d", g.Code(i))
	}
}

// TestRecreated: a topic that was deleted and created again is used again. With another number of
// partitions, keys may change theirs.
func TestRecreated(t *testing.T) {
	for _, partitions := range []int32{5, 2} {
		c := startCluster(t, 5)
		out := open(t, "kafka://"+c.hosts()+"/orders?"+byKey, sink.Config{})
		g := handlertest.Start(t, out, 2, inFlight)
		all := messages(keys, 400)
		feed(c, g, 2, inFlight, all[:200], nil)
		if err := c.DeleteTopic("orders"); err != nil {
			t.Fatal(err)
		}
		for i, m := range all[200:] {
			g.Send((i+200)%keys%2, []byte(m))
		}
		g.WaitFor("not ready", func() bool { return out.Ready() != nil })
		if err := c.CreateTopic("orders", partitions, nil); err != nil {
			t.Fatal(err)
		}
		g.Wait(len(all))
		stored := c.stored()
		if partitions == 5 {
			checkStored(t, stored, all[200:])
		}
		distinct := make(map[string]bool)
		for _, r := range stored {
			distinct[string(r.Value)] = true
		}
		if len(distinct) != 200 || len(stored) != 200 || g.Refused != 0 {
			t.Errorf("%d partitions: %d stored, %d distinct, %d refused", partitions, len(stored), len(distinct), g.Refused)
		}
	}
}

// TestIDs: the message's permanent identifier is the header id.
func TestIDs(t *testing.T) {
	c := startCluster(t, 1)
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders", sink.Config{}), 1, inFlight)
	g.SendMessage(0, handlertest.Message{Data: "with", ID: "a-1"})
	g.Send(0, []byte("without"))
	g.Wait(2)
	stored := c.stored()
	if len(stored) != 2 || len(stored[1].Headers) != 0 || stored[1].Key != nil {
		t.Fatalf("%+v", stored)
	}
	if h := stored[0].Headers; len(h) != 1 || h[0].Key != "id" || string(h[0].Value) != "a-1" {
		t.Errorf("headers %v", h)
	}
}

// TestSpread: without a key, all partitions get messages, each worker's go to one at a time, and
// those with leaders are preferred.
func TestSpread(t *testing.T) {
	c := startCluster(t, 4)
	g := handlertest.Start(t, open(t, "kafka://"+c.hosts()+"/orders", sink.Config{}), 1, inFlight)
	for i := range 40 {
		g.Send(0, fmt.Appendf(nil, "0-%d-x", i))
		g.Wait(i + 1) // so each is a batch
	}
	perPartition := make(map[int32]int)
	for _, r := range c.stored() {
		perPartition[r.Partition]++
	}
	for p := range int32(4) {
		if perPartition[p] != 10 {
			t.Errorf("records by partition: %v", perPartition)
		}
	}
}
