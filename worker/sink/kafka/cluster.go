package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"feedgate/worker/sink/kit"
)

const (
	// maxAge is how old the number of partitions may be before it is asked for again
	// (metadata.max.age.ms of Java's client).
	maxAge = 5 * time.Minute
	// missingFor is how long the cluster must report that a topic does not exist until that is
	// believed: a broker that has just started may not know it yet.
	missingFor = 2 * time.Second
	// missingAge is how long it is then believed.
	missingAge = 30 * time.Second
	// maxMissing limits the topics of which that is remembered, because messages name them.
	maxMissing = 1000
)

// topic is what a worker knows of a topic.
type topic struct {
	name       string
	made       bool         // by a template, from a message
	leaders    []int32      // by partition; negative: none
	partitions []*partition // those used so far, by number; nil: not used
	err        error        // of the latest metadata
	missing    time.Time    // since when it has not existed; zero: it exists, or nobody knows
	asked      time.Time    // when the latest metadata came
	trusted    bool         // it was usable once
	accepted   bool         // a message is stored
	needed     bool         // by the batch of chooseTopics
	inRequest  int          // index in the latest produce request that has it
}

// partition returns a partition by its number.
func (t *topic) partition(n int) *partition {
	for len(t.partitions) <= n {
		t.partitions = append(t.partitions, nil)
	}
	if t.partitions[n] == nil {
		t.partitions[n] = newPartition(t, n)
	}
	return t.partitions[n]
}

// errNoLeader is the reason of messages for a partition whose broker is away.
var errNoLeader = errors.New("the partition has no leader")

// update takes over the metadata of a topic.
func (t *topic) update(m *kmsg.MetadataResponseTopic, now time.Time) {
	t.asked = now
	t.err = kerr.ErrorForCode(m.ErrorCode)
	what, _ := meaningOf(m.ErrorCode)
	switch missing := what == noTopic || what == badTopic; {
	case !missing:
		t.missing = time.Time{}
	case t.missing.IsZero():
		t.missing = now
	}
	if t.err != nil {
		t.err = fmt.Errorf("topic %s: %w", t.name, t.err)
		return
	}
	t.leaders = t.leaders[:0]
	for _, p := range m.Partitions {
		for int(p.Partition) >= len(t.leaders) && p.Partition >= 0 && int(p.Partition) < len(m.Partitions) {
			t.leaders = append(t.leaders, -1)
		}
		if p.Partition >= 0 && int(p.Partition) < len(t.leaders) {
			t.leaders[p.Partition] = p.Leader
		}
	}
	if len(t.leaders) == 0 {
		t.err = fmt.Errorf("topic %s has no partitions yet", t.name)
		return
	}
	t.trusted = true
}

// fate returns what happens to messages for the topic: they are sent if usable, refused, denied, or
// wait because of why.
func (t *topic) fate(now time.Time) (f fate, why error) {
	switch {
	case t.asked.IsZero():
		return waits, errors.New("its metadata is not known yet")
	case t.err == nil:
		return usable, nil // so far without an allocation
	}
	var code *kerr.Error
	forbidden := errors.As(t.err, &code) && meanings[code] == denied
	switch {
	case forbidden && t.made && !t.trusted:
		return rejects, t.err // a message named it; no message was ever accepted for it
	case forbidden:
		return forbids, t.err
	case t.made && !t.missing.IsZero() && now.Sub(t.missing) >= missingFor:
		return rejects, t.err
	}
	return waits, t.err
}

// fate is what happens to messages for a topic.
type fate uint8

const (
	usable fate = iota
	rejects
	forbids
	waits
)

// current reports whether the metadata need not be asked for.
func (t *topic) current(now time.Time) bool {
	switch f, _ := t.fate(now); f {
	case usable:
		return now.Sub(t.asked) < maxAge
	case rejects:
		return now.Sub(t.asked) < missingAge
	}
	return false
}

// topic returns the topic with a name.
func (c *client) topic(name []byte) *topic {
	if t := c.topics[string(name)]; t != nil {
		return t
	}
	t := &topic{name: string(name), made: c.topicName.made != nil}
	c.topics[t.name] = t
	return t
}

// forgetMissing limits the memory of topics that do not exist. No batch is being sent.
func (c *client) forgetMissing() {
	if len(c.topics) < maxMissing {
		return
	}
	for name, t := range c.topics {
		if t.made && !t.trusted {
			delete(c.topics, name)
		}
	}
}

// news is what the cluster answers: about topics, and which producer ID the client has.
type news struct {
	topics   []kmsg.MetadataResponseTopic
	producer *sequence // nil: not known
}

// ask asks for the metadata of topics, and for a producer ID if withID.
func (c *client) ask(ctx context.Context, names []string, withID bool) (n news, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.common.ConnectTimeout)
	defer cancel()
	answer, err := metadata(ctx, c.kafka, names, false)
	if err != nil {
		return n, c.explain(err)
	}
	n.topics = answer.Topics
	if !withID {
		return n, nil
	}
	if n.producer, err = newProducer(ctx, c.kafka); err != nil {
		return n, c.explain(err)
	}
	return n, nil
}

// learn takes over an answer.
func (c *client) learn(n news) {
	now := time.Now()
	for i := range n.topics {
		m := &n.topics[i]
		if m.Topic == nil {
			continue
		}
		if t := c.topics[*m.Topic]; t != nil {
			t.update(m, now)
		}
	}
	if n.producer != nil {
		c.producer = *n.producer
	}
}

// lookUp sees to it that the fate of the topics is known and is not to wait, and that there is a
// producer ID. It returns false if ctx has ended, or if the cluster denies everything: then the
// batch has its outcome.
func (c *client) lookUp(ctx context.Context, b *kit.Batch, topics []*topic) bool {
	pause := c.common.NewBackoff()
	for first := true; ; first = false {
		names := outdated(topics)
		withID := c.producer.producer == unknown
		if len(names) == 0 && !withID {
			return true
		}
		if !first {
			c.common.Stats.Retries.Add(1)
			if !c.sleep(ctx, pause.NextBackOff()) {
				return false
			}
		}
		n, err := c.ask(ctx, names, withID)
		c.learn(n)
		why := waiting(topics)
		switch {
		case ctx.Err() != nil:
			return false
		case why == nil && c.producer.producer != unknown:
			return true // if err is not nil, what is known is old, but better than nothing
		case err != nil && meaningOfFailure(err) == denied && !c.sink.Accepted():
			b.ResolveAll(kit.Denied(err))
			return false
		case err != nil:
			b.Waits(err)
		case why != nil:
			b.Waits(why)
		}
	}
}

// outdated returns the names of topics whose metadata is to be asked for.
func outdated(topics []*topic) (names []string) {
	now := time.Now()
	for _, t := range topics {
		if !t.current(now) {
			names = append(names, t.name)
		}
	}
	return names
}

// waiting returns why messages for one of the topics have to wait; nil: none do.
func waiting(topics []*topic) (why error) {
	now := time.Now()
	for _, t := range topics {
		if f, reason := t.fate(now); f == waits {
			why = reason
		}
	}
	return why
}
