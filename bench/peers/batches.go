package peers

import (
	"context"
	"net"
	"sync"

	"feedgate/gateway/wire/fg1"
)

// A batch ends when it has so many messages or bytes, or when nothing more is
// there to be read at once.
const (
	batchMessages = 512
	batchBytes    = 64 << 10
	batchCount    = 32 // in circulation
)

// batch is a run of messages on its way round: reader, worker, writer, reader.
type batch struct {
	data     []byte // payloads, one behind the other
	messages []span
	replies  []byte
}

// span is a message whose payload ends at end in its batch.
type span struct {
	seq uint64
	end int
}

// Batches passes batches of messages, copied into one buffer each, over a channel
// to the workers; they put the acks beside them and pass them on to a writer,
// which sends those of all batches that lie ready by one writev and gives the
// batches back.
func Batches(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
	return session(ctx, addr, "batches", func(c *net.TCPConn, res *Result) error {
		free := make(chan *batch, batchCount)
		full := make(chan *batch, batchCount)
		done := make(chan *batch, batchCount)
		for range batchCount {
			free <- &batch{data: make([]byte, 0, batchBytes)}
		}
		written := make(chan error, 1)
		go func() { written <- writeBatches(c, done, free) }()

		var running sync.WaitGroup
		for range workers {
			running.Go(func() {
				for b := range full {
					b.work(work)
					done <- b
				}
			})
		}
		err := readBatches(newReader(c), free, full, done, res)
		close(full)
		running.Wait()
		close(done)
		if werr := <-written; werr != nil {
			return werr
		}
		return err
	})
}

func (b *batch) work(work func([]byte)) {
	at := 0
	for _, m := range b.messages {
		work(b.data[at:m.end:m.end])
		at = m.end
		b.replies = fg1.AppendFrame(b.replies, fg1.Ack, 0, fg1.CodeOK, m.seq, nil)
	}
}

func (b *batch) reset() { b.data, b.messages, b.replies = b.data[:0], b.messages[:0], b.replies[:0] }

func (b *batch) full() bool { return len(b.messages) == batchMessages || len(b.data) >= batchBytes }

func readBatches(r reader, free, full, done chan *batch, res *Result) error {
	b := <-free
	for {
		if len(b.messages) > 0 && (b.full() || !r.ready()) {
			full <- b
			b = <-free
		}
		h, err := r.next()
		if err != nil {
			return err
		}
		switch h.Op {
		case fg1.Ping: // straight to the writer, past the work
			pong := <-free
			pong.replies = fg1.AppendFrame(pong.replies, fg1.Pong, 0, fg1.CodeOK, h.Seq, nil)
			done <- pong
		case fg1.Bye:
			full <- b
			return byeError(h)
		default:
			if b.data, err = r.payload(b.data, int(h.Payload())); err != nil {
				return err
			}
			b.messages = append(b.messages, span{h.Seq, len(b.data)})
			res.Messages++
			res.Bytes += uint64(h.Payload())
		}
	}
}

// writeBatches sends until done is closed. After an error it closes c, which ends
// the reader, and goes on giving batches back, so that nobody blocks.
func writeBatches(c net.Conn, done <-chan *batch, free chan<- *batch) (err error) {
	ready := make([]*batch, 0, batchCount)
	vec := make(net.Buffers, 0, batchCount)
	for b := range done {
		ready = append(ready[:0], b)
		for range len(done) {
			ready = append(ready, <-done)
		}
		if err == nil {
			vec := vec[:0]
			for _, b := range ready {
				vec = append(vec, b.replies)
			}
			if _, err = vec.WriteTo(c); err != nil {
				c.Close()
			}
		}
		for _, b := range ready {
			b.reset()
			free <- b
		}
	}
	return err
}
