package baselines

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/gateway/wire/fg1"
)

// KafkaBare produces each message with one client of franz-go, with its defaults, such as idempotence
// and the acks of all replicas, except for compression. One goroutine reads the feed, and the promises
// ack. to is kafka://HOST:PORT[,...]/TOPIC. Records and their buffers are used again.
func KafkaBare(to string) Func {
	return func(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
		client, err := newKafka(to)
		if err != nil {
			return Result{}, err
		}
		defer client.Close()
		return session(ctx, addr, "kafka-bare", func(c *net.TCPConn, _ uint64, res *Result) error {
			acks := newOutbox(c)
			err := produceAll(ctx, client, newReader(c), acks, work, res)
			if ctx.Err() == nil {
				_ = client.Flush(ctx) // its error is ctx's
			}
			if ackErr := acks.close(); ackErr != nil {
				return ackErr
			}
			return err
		})
	}
}

// newKafka makes a client for kafka://HOST:PORT[,...]/TOPIC. It does not compress, as the product does
// not by default: with franz-go's default, snappy, KafkaBare takes a sixth more CPU time.
func newKafka(to string, more ...kgo.Opt) (*kgo.Client, error) {
	brokers, topic, ok := strings.Cut(strings.TrimPrefix(to, "kafka://"), "/")
	if !ok {
		return nil, fmt.Errorf("%s: no topic", to)
	}
	return kgo.NewClient(append(more, kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()))...)
}

// pending is a record in progress.
type pending struct {
	kgo.Record
	seq     uint64
	promise func(*kgo.Record, error)
}

// produceAll reads until BYE.
func produceAll(ctx context.Context, client *kgo.Client, r reader, acks *outbox, work func([]byte), res *Result) error {
	unused := sync.Pool{}
	unused.New = func() any {
		p := new(pending)
		p.promise = func(_ *kgo.Record, err error) {
			if err != nil {
				acks.fail(err)
				return
			}
			acks.add(fg1.Ack, p.seq)
			p.Record = kgo.Record{Value: p.Value[:0]}
			unused.Put(p)
		}
		return p
	}
	for {
		h, err := r.next()
		if err != nil {
			return err
		}
		switch h.Op {
		case fg1.Ping:
			acks.add(fg1.Pong, h.Seq)
		case fg1.Bye:
			return byeError(h)
		default:
			p := unused.Get().(*pending)
			p.seq = h.Seq
			if p.Value, err = r.payload(p.Value, int(h.Payload())); err != nil {
				return err
			}
			work(p.Value)
			res.Messages++
			res.Bytes += uint64(len(p.Value))
			client.Produce(ctx, &p.Record, p.promise)
		}
	}
}
