package baselines

import "feedgate/gateway/wire/fg1"

// batch has the bytes of one read. It circulates between reader, worker and writer; each owns it in
// turn. A PONG is a batch without a buffer, which the writer drops.
//
//	0 <= at <= have <= len(buf)
type batch struct {
	buf      []byte
	at, have int    // parsed, read
	messages []span // in buf[:at]
	replies  []byte // also in buf, over processed messages
}

// span is a message whose payload is buf[off:end] of its batch.
type span struct {
	seq      uint64
	off, end int
}

// parse finds the messages in the bytes read. It sends PONGs directly to done. Messages before BYE
// or an error are in the batch.
func (b *batch) parse(done chan<- *batch, res *Result) (bye bool, err error) {
	for {
		rest := b.buf[b.at:b.have]
		if seq, n := dataFrame(rest); n > 0 {
			b.messages = append(b.messages, span{seq, b.at + fg1.HeaderSize, b.at + n})
			b.at += n
			res.Messages++
			res.Bytes += uint64(n - fg1.HeaderSize)
			continue
		}
		h, n, err := otherFrame(rest)
		if n == 0 {
			return false, err
		}
		b.at += n
		switch h.Op {
		case fg1.Ping:
			done <- &batch{replies: fg1.AppendFrame(nil, fg1.Pong, 0, fg1.CodeOK, h.Seq, nil)}
		case fg1.Bye:
			return true, byeError(h)
		}
	}
}

// work processes all messages. An ack never overwrites an unprocessed message, because no frame is
// shorter than an ack.
func (b *batch) work(work func([]byte)) {
	end := 0
	for _, m := range b.messages {
		work(b.buf[m.off:m.end:m.end])
		fg1.PutHeader(b.buf[end:], fg1.Ack, 0, fg1.CodeOK, m.seq, 0)
		end += fg1.HeaderSize
	}
	b.replies = b.buf[:end]
}

// begin starts a new batch with rest, the beginning of a frame, which may be in b's own buffer. The
// buffer is enlarged if the frame does not fit.
func (b *batch) begin(rest []byte) {
	to := b.buf
	if len(rest) >= fg1.HeaderSize {
		if size := fg1.HeaderSize + int(fg1.ParseHeader(rest).Payload()); size > len(to) {
			to = make([]byte, size)
		}
	}
	b.at, b.have = 0, copy(to, rest)
	b.buf, b.messages, b.replies = to, b.messages[:0], nil
}
