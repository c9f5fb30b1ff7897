package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/worker"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// settings are those of the URL.
type settings struct {
	hosts      []string
	secure     bool
	topicName  topicName
	key        *selector.Selector // of the URL; nil: that of --key
	compressor kgo.Compressor     // nil: none
	linger     time.Duration
	mechanism  mechanism // nil: no login
}

// client is the client of one worker, with connections and a producer ID of its own. One goroutine
// at a time calls Send, which owns all fields below kafka.
type client struct {
	*settings
	common *sink.Config
	by     *selector.Selector // the key; nil: none
	sink   *kit.Sink
	worker int
	kafka  *kgo.Client

	topics   map[string]*topic
	producer sequence // the first one of a partition
	turn     int      // chooses the partition of messages without a key
	limit    int      // of a record batch, in bytes
	unused   []*recordBatch
	kept     int          // memory of unused, in bytes
	scratch  bytes.Buffer // of compression
	topicOf  []*topic     // of each message of a batch; nil: it has an outcome
	needed   []*topic     // of a batch
	text     []byte       // of a topic
	keyText  []byte
	id       []byte
	requests sync.WaitGroup // in progress

	sending atomic.Bool // Send is running
	down    atomic.Bool // watch has found that no broker can be reached
	lost    chan struct{}
	ended   sync.WaitGroup // of watch
	cancel  context.CancelFunc
}

// Sizes of batches. What a broker stores at once is limited by its max.message.bytes, by default
// 1,048,588 bytes; so is what a worker copies.
const (
	maxMessages = 16384
	maxBytes    = 768 << 10 // of messages; keys, ids and numbers are added
	maxBatch    = 1_000_000
	maxKept     = 2 * maxBatch    // memory that a worker keeps for record batches
	maxRequest  = 100<<20 - 1<<10 // socket.request.max.bytes of brokers, less the rest of the request
)

func newClient(s *settings, common *sink.Config, k *kit.Sink, n int) (*client, error) {
	c := &client{
		settings: s, common: common, sink: k, worker: n,
		by:       keyOf(s, common),
		topics:   make(map[string]*topic),
		producer: sequence{producer: unknown},
		turn:     n,
		limit:    maxBatch,
		keyText:  make([]byte, 0, 64), // not nil, which is no key
		lost:     make(chan struct{}, 1),
	}
	var err error
	if c.kafka, err = s.connect(common, nil, kgo.WithHooks(hooks{c.lost})); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.ended.Go(func() { c.watch(ctx) })
	return c, nil
}

// keyOf returns the selector of a record's key; nil: records have none.
func keyOf(s *settings, common *sink.Config) *selector.Selector {
	if s.key != nil {
		return s.key
	}
	return common.Key
}

// Close implements [kit.Client].
func (c *client) Close() error {
	c.cancel()
	c.ended.Wait()
	c.kafka.Close()
	c.requests.Wait()
	return nil
}

// Send implements [kit.Client]. It returns when every message has an outcome.
func (c *client) Send(ctx context.Context, b *kit.Batch) {
	c.sending.Store(true)
	defer c.sending.Store(false)
	c.forgetMissing()
	c.chooseTopics(b)
	if len(c.needed) == 0 {
		return // all were unfit
	}
	if !c.lookUp(ctx, b, c.needed) {
		return
	}
	d := delivery{c: c, ctx: ctx, b: b}
	c.fill(&d)
	d.run()
	if ctx.Err() == nil && c.down.Swap(false) {
		c.sink.SetDown(c.worker, nil)
	}
}

// chooseTopics finds the topic of each message.
func (c *client) chooseTopics(b *kit.Batch) {
	c.needed = c.needed[:0]
	c.topicOf = c.topicOf[:0]
	var last *topic
	for i := range b.Len() {
		if last == nil || c.topicName.made != nil {
			c.text = c.topicName.appendTo(c.text[:0], b.At(i))
			if !legalTopic(c.text) {
				c.topicOf = append(c.topicOf, nil)
				c.sink.NoteRefusal(errIllegalTopic)
				b.Resolve(i, 1, kit.Unfit(worker.BadRequest))
				continue
			}
			last = c.topic(c.text)
			if !last.needed {
				last.needed = true
				c.needed = append(c.needed, last)
			}
		}
		c.topicOf = append(c.topicOf, last)
	}
	for _, t := range c.needed {
		t.needed = false
	}
}

// errIllegalTopic: Kafka has no such names. The name is not shown, because it is made of the message.
var errIllegalTopic = errors.New("the template of the topic makes no legal name of the message")

// errTooLarge is about a message that no broker takes with its usual settings.
var errTooLarge = fmt.Errorf("the message is larger than a request of Kafka may be, %d MiB", maxRequest>>20)

// misnamed is the outcome of a message that names a topic which the cluster does not let us use. If that
// is so for all of the first ones, the template is at fault.
func (c *client) misnamed(why error) kit.Outcome {
	c.sink.NoteRefusal(why)
	return kit.Refused(worker.Refused)
}

// fill makes record batches of the messages.
func (c *client) fill(d *delivery) {
	b, now := d.b, time.Now()
	if b.Attempt == 1 {
		c.turn++ // later attempts go to the same partition
	}
	for i, t := range c.topicOf {
		if t == nil {
			continue
		}
		switch f, why := t.fate(now); f {
		case rejects:
			b.Resolve(i, 1, c.misnamed(why))
			continue
		case forbids:
			b.Resolve(i, 1, kit.Denied(why))
			continue
		}
		m := b.At(i)
		var key []byte
		if c.by != nil {
			c.keyText = c.by.AppendFrom(c.keyText[:0], m)
			key = c.keyText
		}
		c.id = m.AppendID(c.id[:0])
		p := t.partition(t.choose(key, c.turn))
		if len(p.queue) == 0 {
			d.open = append(d.open, p)
			p.state = ready
		}
		c.batchFor(p, len(m.Data)+len(key)+len(c.id)).add(i, key, m.Data, c.id)
	}
	for _, p := range d.open {
		for _, r := range p.queue {
			r.finish(now, c.compressor, &c.scratch)
		}
	}
	for _, p := range d.open {
		if len(p.queue[0].bytes) > maxRequest {
			d.refuse(p, true, errTooLarge) // a message that is alone; a broker would close the connection
		}
	}
}

// choose returns the partition for a key, or without one, for the turn: one that has a leader, if
// there is any.
func (t *topic) choose(key []byte, turn int) int {
	n := len(t.leaders)
	if key != nil {
		return keyPartition(key, n)
	}
	for k := range n {
		if p := (turn + k) % n; t.leaders[p] >= 0 {
			return p
		}
	}
	return turn % n
}

// batchFor returns the record batch for the next message of a partition, of this size.
func (c *client) batchFor(p *partition, size int) *recordBatch {
	if n := len(p.queue); n > 0 {
		if r := p.queue[n-1]; len(r.bytes)+size+recordOverhead <= c.limit {
			return r
		}
	}
	r := new(recordBatch)
	if n := len(c.unused); n > 0 {
		r, c.unused = c.unused[n-1], c.unused[:n-1]
		c.kept -= r.memory()
	}
	r.reset()
	p.queue = append(p.queue, r)
	return r
}

// recycle keeps a record batch for later, unless its memory is large, or that of all is.
func (c *client) recycle(r *recordBatch) {
	if n := r.memory(); cap(r.bytes) <= maxBatch && c.kept+n <= maxKept {
		c.unused = append(c.unused, r)
		c.kept += n
	}
}

// sleep waits, and returns false if ctx ends before.
func (c *client) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
