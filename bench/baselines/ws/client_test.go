package ws_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"feedgate/bench/baselines"
)

// stream is what a server sends, and what it expects in return.
type stream struct {
	bytes    []byte
	messages int
	payload  uint64   // bytes of all messages
	pings    []string // in order
}

// numbered makes a stream of messages that contain their number, each in several frames, with
// occasional PINGs, and a Close.
func numbered(r *rand.Rand, messages, fragments int, size func(*rand.Rand) int) stream {
	s := stream{messages: messages}
	for n := range messages {
		payload := fmt.Appendf(nil, "%d:", n+1)
		payload = append(payload, bytes.Repeat([]byte{'x'}, size(r))...)
		s.payload += uint64(len(payload))
		op := byte(opText + n%2) // or binary
		for part := range fragments {
			k := len(payload)
			if part < fragments-1 {
				k = r.IntN(k + 1)
				s.bytes = appendFrame(s.bytes, op, payload[:k])
			} else {
				s.bytes = appendFrame(s.bytes, fin|op, payload)
			}
			op, payload = opContinuation, payload[k:]
			if r.IntN(50) == 0 {
				ping := fmt.Sprintf("%d/%d", n, part)
				s.pings = append(s.pings, ping)
				s.bytes = appendFrame(s.bytes, fin|opPing, []byte(ping))
			}
		}
	}
	s.bytes = appendClose(s.bytes, 1000)
	return s
}

// readFrames reads the client's frames, up to and including its answer to Close.
func (s *stream) readFrames(srv *server, finished []atomic.Int32) error {
	acked, pongs := make([]int, s.messages+1), 0
	for {
		op, payload, err := srv.read()
		if err != nil {
			return err
		}
		switch op {
		case opText:
			var n int
			if _, err := fmt.Sscanf(string(payload), "A%d", &n); err != nil || string(payload) != fmt.Sprint("A", n) || n < 1 || n > s.messages {
				return fmt.Errorf("client sent %q", payload)
			}
			if acked[n]++; acked[n] > 1 || finished[n].Load() != 1 {
				return fmt.Errorf("ack %d of message %d, which was worked on %d times", acked[n], n, finished[n].Load())
			}
		case opPong:
			if pongs >= len(s.pings) || string(payload) != s.pings[pongs] {
				return fmt.Errorf("PONG %d has %q", pongs, payload)
			}
			pongs++
		case opClose:
			if len(payload) < 2 || binary.BigEndian.Uint16(payload) != 1000 {
				return fmt.Errorf("client answers Close with % x", payload)
			}
			for n, times := range acked[1:] {
				if times != 1 {
					return fmt.Errorf("client answers Close and message %d has %d acks", n+1, times)
				}
			}
			if pongs != len(s.pings) {
				return fmt.Errorf("client answers Close and %d of %d PINGs", pongs, len(s.pings))
			}
			return nil
		default:
			return fmt.Errorf("client sends opcode %d", op)
		}
	}
}

// TestMessagesInFlightAtCloseAreAcked: no message is finished before Close is sent.
func TestMessagesInFlightAtCloseAreAcked(t *testing.T) {
	for _, c := range []struct {
		name                       string
		messages, fragments, piece int
		size                       func(*rand.Rand) int
	}{
		{"more than a channel holds", 3000, 1, 3000, func(r *rand.Rand) int { return r.IntN(5) }},
		{"small", 1000, 1, 3000, func(r *rand.Rand) int { return r.IntN(200) }},
		{"in pieces", 300, 1, 3, func(r *rand.Rand) int { return r.IntN(30) }},
		{"mixed", 200, 1, 100_000, func(r *rand.Rand) int { return r.IntN(1 << r.IntN(18)) }},
		{"fragments", 200, 4, 5000, func(r *rand.Rand) int { return r.IntN(1 << r.IntN(16)) }},
		{"longest", 3, 1, 100_000, func(*rand.Rand) int { return 1<<20 - len("1:") }},
		{"one", 1, 1, 1000, func(*rand.Rand) int { return 0 }},
		{"none", 0, 1, 1000, nil},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(t *testing.T) {
				each(t, func(t *testing.T, run baselines.Func) {
					r := rand.New(rand.NewPCG(1, uint64(workers)))
					s := numbered(r, c.messages, c.fragments, c.size)
					finished, sent := make([]atomic.Int32, c.messages+1), make(chan struct{})
					addr, served := listen(t, func(srv *server) error {
						err := srv.sendPieces(r, s.bytes, c.piece)
						close(sent)
						if err != nil {
							return err
						}
						return s.readFrames(srv, finished)
					})
					work := func(msg []byte) {
						var n int
						if _, err := fmt.Sscanf(string(msg[:min(len(msg), 20)]), "%d:", &n); err != nil {
							t.Errorf("message of %d bytes: %v", len(msg), err)
							return
						}
						<-sent
						if i := bytes.IndexByte(msg, ':'); bytes.Count(msg, []byte("x")) != len(msg)-i-1 {
							t.Errorf("message %d was changed", n)
						}
						finished[n].Add(1)
					}
					res, err := run(testContext(t), addr, workers, work)
					if serr := <-served; err != nil || serr != nil {
						t.Fatalf("client: %v; server: %v", err, serr)
					}
					if want := (baselines.Result{Messages: uint64(c.messages), Bytes: s.payload}); res != want {
						t.Errorf("result %+v, want %+v", res, want)
					}
				})
			})
		}
	}
}
