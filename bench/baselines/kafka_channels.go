package baselines

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/gateway/wire/fg1"
)

// KafkaChannels is [Channels], except that each worker has a client of franz-go, and produces the
// messages that are available, waits, and acks them. to is kafka://HOST:PORT[,...]/TOPIC.
//
// The clients do not linger: with the default of 10 ms, each ProduceSync would wait for it.
func KafkaChannels(to string) Func {
	return func(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
		w := worker{held: channelDepth, run: func(q *queue, replies chan<- reply) error {
			client, err := newKafka(to, kgo.ProducerLinger(0))
			if err != nil {
				return err
			}
			defer client.Close()
			return produceSync(ctx, client, q, replies, work)
		}}
		return channels(ctx, addr, "kafka-channels", workers, w, readChannels)
	}
}

// produceSync produces until q is closed.
func produceSync(ctx context.Context, client *kgo.Client, q *queue, replies chan<- reply, work func([]byte)) error {
	records, all, seqs := make([]kgo.Record, channelDepth), make([]*kgo.Record, channelDepth), make([]uint64, channelDepth)
	for i := range records {
		all[i] = &records[i]
	}
	for m := range q.messages {
		n := 0
		add := func(m message) {
			work(m.data)
			records[n], seqs[n] = kgo.Record{Value: m.data}, m.seq
			n++
		}
		add(m)
		for range min(len(q.messages), channelDepth-1) {
			add(<-q.messages)
		}
		if err := client.ProduceSync(ctx, all[:n]...).FirstErr(); err != nil {
			return err
		}
		for _, seq := range seqs[:n] {
			replies <- reply{fg1.Ack, seq}
		}
	}
	return nil
}
