package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/worker"
	"feedgate/worker/backoff"
	"feedgate/worker/sink/kit"
)

// delivery sends the record batches of one batch of the kit until each message has an outcome. It
// has one request in progress for each leader, with the first record batch of each partition that
// is ready.
type delivery struct {
	c   *client
	ctx context.Context // ends when the handler is closed
	b   *kit.Batch

	open       []*partition // with record batches
	busy       []int32      // leaders with a request in progress
	events     chan event
	refreshing bool
	tries      int // without progress
	pause      *backoff.Backoff
	retryAt    time.Time // when stuck partitions are tried again
	quietAt    time.Time // when a leader has not answered for too long
	stored     []int32   // messages of the current event
	why        error     // why partitions are stuck since the current event
	split      bool      // record batches of several messages were refused
}

// event is an answer, or that there is none.
type event struct {
	leader     int32
	partitions []*partition
	answer     *kmsg.ProduceResponse
	refresh    bool // of the metadata, rather than the above
	news       news
	err        error
}

// maxDamaged is how often a record batch is sent before an answer that it is damaged is believed: old
// brokers refuse a message without a key for a compacted topic that way.
const maxDamaged = 3

// quiet is how long an answer may take before the sink is not ready. Brokers answer after
// --connect-timeout at the latest, because that is how long they wait for replicas; if there is no
// answer after twice that time, the connection is given up.
func (d *delivery) quiet() time.Duration { return d.c.common.ConnectTimeout / 2 }

func (d *delivery) run() {
	d.events = make(chan event, len(d.open)+1) // goroutines never wait
	timer := time.NewTimer(0)
	defer timer.Stop()
	d.quietAt = time.Now().Add(d.quiet())
	for {
		d.send()
		if len(d.open) == 0 {
			break
		}
		d.schedule()
		timer.Reset(time.Until(d.wakeAt()))
		select {
		case e := <-d.events:
			d.quietAt = time.Now().Add(d.quiet())
			if e.refresh {
				d.refreshed(e)
			} else {
				d.answered(e)
			}
		case <-timer.C:
			d.wake()
		case <-d.ctx.Done():
			for _, p := range d.open {
				p.batches = nil
			}
			return
		}
	}
	if d.split {
		d.b.Split(worker.Refused)
	}
}

// send sends a request to each leader that has none in progress.
func (d *delivery) send() {
	for _, p := range d.open {
		if p.state != ready || slices.Contains(d.busy, p.leader()) {
			continue
		}
		leader := p.leader()
		if leader < 0 {
			p.state, d.why = stuck, fmt.Errorf("%s: %w", p, errNoLeader)
			continue
		}
		var all []*partition
		for _, p := range d.open {
			if p.state == ready && p.leader() == leader {
				p.state = sending
				all = append(all, p)
			}
		}
		d.busy = append(d.busy, leader)
		request := d.request(all)
		d.c.requests.Go(func() {
			answer, err := d.c.kafka.Broker(int(leader)).Request(d.ctx, request)
			e := event{leader: leader, partitions: all, err: err}
			if err == nil {
				e.answer = answer.(*kmsg.ProduceResponse)
			}
			d.events <- e
		})
	}
}

// request makes a produce request with the first record batches of partitions.
func (d *delivery) request(all []*partition) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Acks = -1 // of all in-sync replicas
	r.TimeoutMillis = int32(d.c.common.ConnectTimeout.Milliseconds())
	for _, p := range all {
		if p.sequence.producer == unknown {
			p.sequence = d.c.producer
		}
		part := kmsg.NewProduceRequestTopicPartition()
		part.Partition = p.number
		part.Records = p.batches[0].seal(p.sequence)
		at := slices.IndexFunc(r.Topics, func(t kmsg.ProduceRequestTopic) bool { return t.Topic == p.topic.name })
		if at < 0 {
			at = len(r.Topics)
			topic := kmsg.NewProduceRequestTopic()
			topic.Topic = p.topic.name
			r.Topics = append(r.Topics, topic)
		}
		r.Topics[at].Partitions = append(r.Topics[at].Partitions, part)
	}
	return r
}

// wakeAt returns when wake is due.
func (d *delivery) wakeAt() time.Time {
	if !d.refreshing && d.stuck() && d.retryAt.Before(d.quietAt) {
		return d.retryAt
	}
	return d.quietAt
}

func (d *delivery) stuck() bool {
	return slices.ContainsFunc(d.open, func(p *partition) bool { return p.state == stuck })
}

// wake begins the next attempt of stuck partitions, or reports that a broker does not answer.
func (d *delivery) wake() {
	now := time.Now()
	if !now.Before(d.quietAt) {
		d.quietAt = now.Add(d.quiet())
		if len(d.busy) > 0 {
			d.b.Waits(fmt.Errorf("broker %d has not answered for %v", d.busy[0], d.quiet()))
		}
	}
	if !d.refreshing && d.stuck() && !now.Before(d.retryAt) {
		d.refresh()
	}
}

// refresh asks for the leaders of stuck partitions.
func (d *delivery) refresh() {
	var names []string
	withID := d.c.producer.producer == unknown
	for _, p := range d.open {
		if p.state == stuck && !slices.Contains(names, p.topic.name) {
			names = append(names, p.topic.name)
		}
		withID = withID || p.sequence.producer == unknown
	}
	d.refreshing = true
	d.c.requests.Go(func() {
		n, err := d.c.ask(d.ctx, names, withID)
		d.events <- event{refresh: true, news: n, err: err}
	})
}

// refreshed takes over metadata, and makes partitions ready.
func (d *delivery) refreshed(e event) {
	d.refreshing = false
	d.c.learn(e.news)
	if d.ctx.Err() != nil {
		return
	}
	if e.err != nil {
		d.again(e.err)
		return
	}
	now := time.Now()
	var why error
	for _, p := range slices.Clone(d.open) {
		if p.state != stuck {
			continue
		}
		f, reason := p.topic.fate(now)
		switch {
		case f == unwanted:
			d.settle(p, kit.Refused(worker.Refused))
		case f != usable:
			why = reason
		case int(p.number) >= len(p.topic.leaders):
			d.settle(p, kit.Again(0, fmt.Errorf("%s does not exist any more", p)))
		case p.leader() < 0:
			why = fmt.Errorf("%s: %w", p, errNoLeader)
		case p.sequence.producer == unknown && d.c.producer.producer == unknown:
			d.retryAt = now // it became stuck after the question
		default:
			p.state = ready
		}
	}
	if why != nil {
		d.again(why)
	}
}

// again reports why partitions stay stuck, and when they are tried again.
func (d *delivery) again(why error) {
	d.b.Waits(why)
	if d.pause == nil {
		d.pause = d.c.common.NewBackoff()
	}
	d.retryAt = time.Now().Add(d.pause.NextBackOff())
}

// schedule sets when the partitions that became stuck are tried again. Without progress since the
// last time that is after a pause, but at once for the first time: often only the leader has moved.
func (d *delivery) schedule() {
	if d.why == nil {
		return
	}
	if d.tries++; d.tries > 1 {
		d.again(d.why)
	} else {
		d.retryAt = time.Now()
	}
	d.why = nil
}

// errUnanswered is the reason if an answer lacks a partition.
var errUnanswered = errors.New("the broker's answer does not contain the partition")

// answered handles an answer to a produce request, or that there is none.
func (d *delivery) answered(e event) {
	d.busy = slices.DeleteFunc(d.busy, func(leader int32) bool { return leader == e.leader })
	d.stored = d.stored[:0]
	if e.err != nil {
		err := fmt.Errorf("broker %d: %w", e.leader, d.c.explain(e.err))
		for _, p := range e.partitions {
			d.handle(p, meaningOfFailure(e.err), err)
		}
		return
	}
	for i := range e.answer.Topics {
		t := &e.answer.Topics[i]
		for j := range t.Partitions {
			code := t.Partitions[j].ErrorCode
			number := t.Partitions[j].Partition
			for _, p := range e.partitions {
				if p.number == number && p.topic.name == t.Topic && p.state == sending {
					what, err := meaningOf(code)
					if err != nil {
						err = fmt.Errorf("%s: %w", p, err)
					}
					d.handle(p, what, err)
				}
			}
		}
	}
	for _, p := range e.partitions {
		if p.state == sending {
			d.handle(p, uncertain, fmt.Errorf("%s: %w", p, errUnanswered))
		}
	}
	d.done()
}

// handle handles the answer for the first record batch of a partition.
func (d *delivery) handle(p *partition, what meaning, why error) {
	p.state = ready
	switch d.interpret(p, what, why) {
	case stored:
		d.tries, d.pause = 0, nil
		r := p.advance()
		p.topic.accepted = true
		d.stored = append(d.stored, r.messages...)
		d.c.recycle(r)
		if len(p.batches) == 0 {
			d.close(p)
		}
	case denied:
		d.settle(p, kit.Denied(why))
	case noTopic:
		d.settle(p, kit.Refused(worker.Refused))
	case tooLarge, refused:
		d.refuse(p, what == tooLarge)
	case resequence:
		d.renew(p)
		p.state, d.why = stuck, why
	case uncertain:
		p.unsure = true
		p.state, d.why = stuck, why
	default:
		p.state, d.why = stuck, why
	}
}

// interpret returns the meaning of an answer in the light of earlier ones.
func (d *delivery) interpret(p *partition, what meaning, why error) meaning {
	switch {
	case what == corrupt:
		if p.damaged++; p.damaged < maxDamaged {
			return later
		}
		return refused
	case what == noTopic:
		return later // the metadata decides
	case what != denied:
		return what
	case errors.Is(why, kerr.TopicAuthorizationFailed) && p.topic.made && !p.topic.accepted:
		return noTopic // a message named a topic that this sink may not use
	case d.c.sink.Accepted():
		return later // it was allowed before: the same record batch is sent once it is allowed again
	}
	return denied
}

// refuse handles that the broker refuses the first record batch because of a message: the one in
// it, or else one that Split finds.
func (d *delivery) refuse(p *partition, tooLarge bool) {
	first := p.batches[0]
	if len(first.messages) > 1 {
		if tooLarge {
			d.c.limit = len(first.bytes) / 2
		}
		d.split = true
		d.drop(p)
		return
	}
	d.b.Resolve(int(first.messages[0]), 1, kit.Refused(worker.Refused))
	rest := p.batches[1:]
	p.batches = p.batches[:1]
	d.drop(p)
	if len(rest) > 0 {
		p.batches = rest
		d.open = append(d.open, p)
	}
}

// settle gives all messages of a partition an outcome.
func (d *delivery) settle(p *partition, o kit.Outcome) {
	for _, r := range p.batches {
		for _, i := range r.messages {
			d.b.Resolve(int(i), 1, o)
		}
	}
	d.drop(p)
}

// drop removes the record batches of a partition, none of which is stored as far as is known.
func (d *delivery) drop(p *partition) {
	for _, r := range p.batches {
		d.c.recycle(r)
	}
	if p.unsure {
		d.renew(p)
	}
	p.batches, p.damaged = nil, 0
	d.close(p)
}

// renew begins a new epoch or, if the partition needs another producer ID, sees to one.
func (d *delivery) renew(p *partition) {
	if p.renew(); p.sequence.producer == unknown {
		d.c.producer.producer = unknown
	}
}

// close removes a partition without record batches.
func (d *delivery) close(p *partition) {
	p.state = ready
	d.open = slices.DeleteFunc(d.open, func(o *partition) bool { return o == p })
}

// done resolves the messages that are stored, in runs.
func (d *delivery) done() {
	if len(d.stored) == 0 {
		return
	}
	slices.Sort(d.stored)
	for i := 0; i < len(d.stored); {
		n := 1
		for i+n < len(d.stored) && d.stored[i+n] == d.stored[i]+int32(n) {
			n++
		}
		d.b.Resolve(int(d.stored[i]), n, kit.Done())
		i += n
	}
}

// recycle keeps a record batch for later.
func (c *client) recycle(r *recordBatch) { c.unused = append(c.unused, r) }

// String returns the partition for errors.
func (p *partition) String() string {
	return fmt.Sprintf("partition %d of topic %s", p.number, p.topic.name)
}
