package baselines

import "feedgate/gateway/wire/fg1"

// batch is what one read brought, on its way round: reader, worker, writer,
// reader. Whoever has it owns it. A PONG is a batch without a buffer, which ends
// with the writer.
//
//	0 <= at <= have <= len(buf)
type batch struct {
	buf      []byte
	at, have int    // parsed, read
	messages []span // in buf[:at]
	replies  []byte // in buf, too, over messages that are done with
}

// span is a message whose payload is buf[off:end] of its batch.
type span struct {
	seq      uint64
	off, end int
}

// parse finds the messages in what was read. PONGs go to done at once, past the
// work. Messages before BYE or an error are there to be worked on.
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

// work works on all messages. An ack cannot overtake the message behind its own: a
// frame is no shorter than the ack.
func (b *batch) work(work func([]byte)) {
	owed := 0
	for _, m := range b.messages {
		work(b.buf[m.off:m.end:m.end])
		fg1.PutHeader(b.buf[owed:], fg1.Ack, 0, fg1.CodeOK, m.seq, 0)
		owed += fg1.HeaderSize
	}
	b.replies = b.buf[:owed]
}

// begin starts over with rest, the beginning of a frame, which may be b's own, and
// makes room for the whole of it.
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
