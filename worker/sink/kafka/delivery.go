package kafka

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

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
	retryAt    time.Time // when stuck partitions are tried again: set by again, schedule and identify
	quietAt    time.Time // when a leader has not answered for too long
	stored     []int32   // messages that are not resolved yet
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
		d.open = slices.DeleteFunc(d.open, func(p *partition) bool { return len(p.queue) == 0 })
		if len(d.open) == 0 {
			break
		}
		d.send()
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
				p.queue = nil
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
		if !d.identify(p) {
			continue
		}
		var all []*partition
		for _, p := range d.open {
			if p.state == ready && p.leader() == leader && d.identify(p) {
				p.state, p.broker = sending, leader
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

// identify gives a partition the client's producer ID, if it has none. If the client has none
// either, the partition is stuck, and the ID is asked for at once. Without one, a broker would not
// recognize a record batch that is sent again.
func (d *delivery) identify(p *partition) bool {
	if p.sequence.producer == unknown {
		p.sequence = d.c.producer
	}
	if p.sequence.producer == unknown {
		p.state, d.retryAt = stuck, time.Now()
		return false
	}
	return true
}

// request makes a produce request with the first record batches of partitions.
func (d *delivery) request(all []*partition) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Acks = -1 // of all in-sync replicas
	r.TimeoutMillis = int32(min(d.c.common.ConnectTimeout.Milliseconds(), math.MaxInt32))
	for _, p := range all {
		part := kmsg.NewProduceRequestTopicPartition()
		part.Partition = p.number
		part.Records = p.queue[0].seal(p.sequence)
		at := p.topic.inRequest
		if at >= len(r.Topics) || r.Topics[at].Topic != p.topic.name {
			at = len(r.Topics)
			p.topic.inRequest = at
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
			d.resolveStored() // of the brokers that do answer
			d.b.Waits(fmt.Errorf("broker %d has not answered for more than %v", d.busy[0], d.quiet()))
		}
	}
	if !d.refreshing && d.stuck() && !now.Before(d.retryAt) {
		d.refresh()
	}
}

// refresh asks for the leaders of stuck partitions.
func (d *delivery) refresh() {
	var names []string
	for _, p := range d.open {
		if p.state == stuck && !slices.Contains(names, p.topic.name) {
			names = append(names, p.topic.name)
		}
	}
	withID := d.c.producer.producer == unknown // a partition takes it over when it is sent
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
	for _, p := range d.open {
		if p.state != stuck {
			continue
		}
		f, reason := p.topic.fate(now)
		switch {
		case f == rejects:
			d.settle(p, d.c.misnamed(reason))
		case f != usable:
			why = reason
		case int(p.number) >= len(p.topic.leaders):
			d.settle(p, kit.Again(0, fmt.Errorf("%s does not exist any more", p)))
		case p.leader() < 0:
			why = fmt.Errorf("%s: %w", p, errNoLeader)
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
	d.c.common.Stats.Retries.Add(1)
	if d.tries++; d.tries > 1 {
		d.again(d.why)
	} else {
		d.retryAt = time.Now()
	}
	d.why = nil
}
