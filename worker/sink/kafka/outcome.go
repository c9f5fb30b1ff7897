package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"feedgate/worker"
	"feedgate/worker/sink/kit"
)

// maxDamaged is how many answers in a row that a record batch is damaged are believed: brokers older
// than Kafka 2.4 refuse a message without a key for a compacted topic that way.
const maxDamaged = 3

// errUnanswered is the reason if an answer lacks a partition.
var errUnanswered = errors.New("the broker's answer does not contain the partition")

// answered handles an answer to a produce request, or that there is none.
func (d *delivery) answered(e event) {
	d.busy = slices.DeleteFunc(d.busy, func(leader int32) bool { return leader == e.leader })
	defer d.done()
	if e.err != nil {
		err := fmt.Errorf("broker %d: %w", e.leader, d.c.explain(e.err))
		for _, p := range e.partitions {
			p.unsure = true
			d.handle(p, meaningOfFailure(e.err), err)
		}
		return
	}
	for i := range e.answer.Topics {
		t := &e.answer.Topics[i]
		for j := range t.Partitions {
			p := d.c.sentTo(e.leader, t.Topic, t.Partitions[j].Partition)
			if p == nil {
				continue // nobody asked
			}
			what, err := meaningOf(t.Partitions[j].ErrorCode)
			if err != nil {
				err = fmt.Errorf("%s: %w", p, err)
			}
			d.handle(p, what, err)
		}
	}
	for _, p := range e.partitions {
		if p.state == sending {
			d.handle(p, uncertain, fmt.Errorf("%s: %w", p, errUnanswered))
		}
	}
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
	case denied:
		d.resolveStored() // the kit must know that something was accepted
		d.settle(p, kit.Denied(why))
	case unwanted:
		d.settle(p, d.c.misnamed(why))
	case badTime:
		d.settle(p, kit.Again(0, why)) // in record batches with a new time
	case tooLarge, refused:
		d.refuse(p, what == tooLarge, why)
	case resequence:
		if d.renew(p); p.renewals == 1 {
			d.tries = 0 // at once
		}
		p.state, d.why = stuck, why
	case uncertain:
		p.unsure = true
		p.state, d.why = stuck, why
	default: // later
		p.state, d.why = stuck, why
	}
}

// interpret returns the meaning of an answer in the light of earlier ones.
func (d *delivery) interpret(p *partition, what meaning, why error) meaning {
	if what != corrupt {
		p.damaged = 0
	}
	switch {
	case what == corrupt:
		// With a key, it was damaged on the way. If it may be stored, splitting it would store it
		// again.
		if p.damaged++; d.c.by != nil || p.unsure || p.damaged < maxDamaged {
			return later
		}
		return refused
	case what == noTopic:
		return uncertain // the metadata decides about the topic
	case what == duplicate && p.unsure:
		return stored // by an earlier attempt
	case what == duplicate:
		return resequence // the broker takes it for another one
	case what == badTopic && p.topic.made:
		return unwanted
	case what != denied && what != badTopic:
		return what
	case errors.Is(why, kerr.TopicAuthorizationFailed) && p.topic.made && !p.topic.accepted:
		return unwanted
	case d.c.sink.Accepted():
		return later // it was allowed before: the same record batch is sent once it is allowed again
	}
	return denied
}

// refuse handles that the broker refuses the first record batch because of a message: the one in
// it, or else one that Split finds.
func (d *delivery) refuse(p *partition, tooLarge bool, why error) {
	first := p.queue[0]
	if len(first.messages) > 1 {
		if tooLarge {
			d.c.limit = first.size / 2
		}
		d.split = true
		d.drop(p)
		return
	}
	d.c.sink.NoteRefusal(why)
	d.b.Resolve(int(first.messages[0]), 1, kit.Refused(worker.Refused))
	d.dropFirst(p)
}

// settle gives all messages of a partition an outcome.
func (d *delivery) settle(p *partition, o kit.Outcome) {
	for _, r := range p.queue {
		for _, i := range r.messages {
			d.b.Resolve(int(i), 1, o)
		}
	}
	d.drop(p)
}

// drop removes the record batches of a partition, none of which is stored as far as is known.
func (d *delivery) drop(p *partition) {
	for len(p.queue) > 0 {
		d.dropFirst(p)
	}
}

// dropFirst removes the first record batch of a partition, likewise.
func (d *delivery) dropFirst(p *partition) {
	d.c.recycle(p.queue[0])
	p.queue, p.damaged = p.queue[1:], 0
	if p.unsure {
		d.renew(p)
	}
}

// renew begins a new epoch or, if the partition needs another producer ID, sees to one.
func (d *delivery) renew(p *partition) {
	if p.renew(); p.sequence.producer == unknown {
		d.c.producer.producer = unknown
	}
}

// done resolves the messages that are stored: when no answer is missing, because the messages of all partitions,
// which alternate, are one run then; or at once, if some wait for something else than an answer.
func (d *delivery) done() {
	if len(d.busy) == 0 || d.stuck() {
		d.resolveStored()
	}
}

// resolveStored resolves the messages that are stored, in runs.
func (d *delivery) resolveStored() {
	slices.Sort(d.stored)
	for i := 0; i < len(d.stored); {
		n := 1
		for i+n < len(d.stored) && d.stored[i+n] == d.stored[i]+int32(n) {
			n++
		}
		d.b.Resolve(int(d.stored[i]), n, kit.Done())
		i += n
	}
	d.stored = d.stored[:0]
}

// sentTo returns the partition of a topic of which a broker has a record batch; nil: it has none.
func (c *client) sentTo(leader int32, name string, number int32) *partition {
	t := c.topics[name]
	if t == nil || number < 0 || int(number) >= len(t.partitions) {
		return nil
	}
	if p := t.partitions[number]; p != nil && p.state == sending && p.broker == leader {
		return p
	}
	return nil
}

// String returns the partition for errors.
func (p *partition) String() string {
	return fmt.Sprintf("partition %d of topic %s", p.number, p.topic.name)
}
