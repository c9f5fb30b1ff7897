package kafka

import "math"

// partition is a worker's view of a partition. sequence, unsure and renewals outlive a delivery; the
// fields from queue on belong to the one that is running.
type partition struct {
	topic    *topic
	number   int32
	sequence sequence // of the next record batch; producer is unknown until the first one
	unsure   bool     // the first of queue may be stored, under sequence
	renewals int      // of sequence since a record batch was stored

	queue   []*recordBatch // in order; only the first one is ever sent
	state   state
	broker  int32 // to which the first of queue was sent; valid while sending
	damaged int   // answers of corrupt in a row for the first of queue
}

// state is what a partition with record batches waits for.
type state uint8

const (
	ready   state = iota // its leader, which may have a request in progress
	sending              // the answer to its first record batch
	stuck                // the next attempt
)

// unknown is the producer ID until the cluster has given one.
const unknown = -1

func newPartition(t *topic, number int) *partition {
	return &partition{topic: t, number: int32(number), sequence: sequence{producer: unknown}}
}

// leader returns the broker to send to; negative: none is known.
func (p *partition) leader() int32 {
	if int(p.number) >= len(p.topic.leaders) {
		return -1
	}
	return p.topic.leaders[p.number]
}

// advance records that the first record batch is stored, and returns it.
func (p *partition) advance() *recordBatch {
	r := p.queue[0]
	p.queue = p.queue[1:]
	p.sequence.first = after(p.sequence.first, len(r.messages))
	p.unsure, p.renewals, p.damaged = false, 0, 0
	return r
}

// after returns the sequence number n records later. It wraps around to 0.
func after(first int32, n int) int32 { return int32((int64(first) + int64(n)) & math.MaxInt32) }

// renew begins a new epoch, for one of these reasons:
//
//   - The broker does not know the sequence.
//   - A record batch that may be stored is given up, because it is refused or its topic is gone. The
//     broker would take the next record batch with its number for it.
//
// The broker accepts nothing of an earlier epoch, so a request that was given up is not stored late. If
// it does not accept the new epoch either, or there is none left, the partition needs another producer
// ID. The broker knows no order of producer IDs: until it has answered or the connection has ended, it
// may still store a request of the former one, after later messages.
func (p *partition) renew() {
	p.unsure = false
	p.renewals++
	p.sequence.first = 0
	if p.sequence.epoch++; p.renewals > 1 || p.sequence.epoch == math.MaxInt16 {
		p.sequence.producer = unknown
	}
}
