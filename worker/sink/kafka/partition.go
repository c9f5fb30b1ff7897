package kafka

import "math"

// partition is a worker's view of a partition. Its sequence outlives batches; the other fields are
// those of the batch that is being sent.
type partition struct {
	topic    *topic
	number   int32
	sequence sequence // of the next record batch; producer is unknown until the first one
	unsure   bool     // the first of batches may be stored, under sequence
	renewals int      // of sequence since a record batch was stored

	batches []*recordBatch // in order; only the first one is ever sent
	state   state
	broker  int32 // to which the first of batches was sent; valid while sending
	damaged int   // answers of corrupt in a row for the first batch
}

// state is what a partition with batches waits for.
type state uint8

const (
	ready   state = iota // its leader, which may have a request in progress
	sending              // the answer to its first batch
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

// advance records that the first batch is stored, and returns it.
func (p *partition) advance() *recordBatch {
	r := p.batches[0]
	p.batches = p.batches[1:]
	p.sequence.first = after(p.sequence.first, len(r.messages))
	p.unsure, p.renewals, p.damaged = false, 0, 0
	return r
}

// after returns the sequence number n records later. It wraps around to 0.
func after(first int32, n int) int32 { return int32((int64(first) + int64(n)) & math.MaxInt32) }

// renew begins a new epoch: the broker does not know the sequence, or the next record batch must not
// have the one of a batch that may be stored, for which the broker would take it. The broker then accepts nothing of an earlier one, so that no request
// that was given up is stored late. If it does not accept the new epoch either, the next one has
// another producer ID.
func (p *partition) renew() {
	p.unsure = false
	p.renewals++
	p.sequence.first = 0
	if p.sequence.epoch++; p.renewals > 1 || p.sequence.epoch == math.MaxInt16 {
		p.sequence.producer = unknown
	}
}
