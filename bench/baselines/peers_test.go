package baselines_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"feedgate/bench/baselines"
	"feedgate/bench/destination"
	"feedgate/gateway/wire/fg1"
)

func TestMain(m *testing.M) {
	// gnet starts the goroutines of its global pool at initialization.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// subject is a client, by the name in its login.
type subject struct {
	name string
	run  baselines.Func
}

// parsing are the clients that parse every message.
var parsing = []subject{
	{"inline", baselines.Inline},
	{"naive", baselines.Naive},
	{"channels", baselines.Channels},
	{"batches", baselines.Batches},
	{"gnet-async", baselines.GnetAsync},
	{"gnet-loop", baselines.GnetLoop},
}

// passing are the clients that pass each message on.
var passing = []subject{
	{"kafka-bare", into("kafka", baselines.KafkaBare)},
	{"kafka-channels", into("kafka", baselines.KafkaChannels)},
	{"http-single", into("http", baselines.PostEach)},
}

// into is a client with a destination of its own, which must have every message in the end. Messages
// with a LF count several times there if they are posted.
func into(kind string, client func(to string) baselines.Func) baselines.Func {
	return func(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
		server, err := destination.Start(kind)
		if err != nil {
			return baselines.Result{}, err
		}
		defer server.Close()
		res, err := client(server.URL)(ctx, addr, workers, work)
		if n := server.Messages(); err == nil && n < res.Messages {
			err = fmt.Errorf("%d of %d messages are at the destination", n, res.Messages)
		}
		return res, err
	}
}

// all are the clients, except for the controls, which are variants of Inline.
var all = slices.Concat([]subject{{"limit", baselines.Limit}}, parsing, passing)

// each runs f for every client.
func each(t *testing.T, subjects []subject, f func(t *testing.T, s subject)) {
	for _, s := range subjects {
		t.Run(s.name, func(t *testing.T) { f(t, s) })
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func idle([]byte) {}

func TestEveryMessageIsProcessedAndAckedOnce(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages int
		size     func(*rand.Rand) int
		subjects []subject
	}{
		{"small", 4_000, func(r *rand.Rand) int { return 8 + r.IntN(200) }, slices.Concat(parsing, passing)},
		{"mixed", 1_000, func(r *rand.Rand) int { return 8 + r.IntN(1<<r.IntN(17)) }, slices.Concat(parsing, passing)},
		{"longest", 8, func(r *rand.Rand) int { return 1 << 20 >> r.IntN(3) }, parsing}, // brokers take less by default
		{"one", 1, func(*rand.Rand) int { return 8 }, slices.Concat(parsing, passing)},
		{"none", 0, nil, slices.Concat(parsing, passing)},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(t *testing.T) {
				each(t, c.subjects, func(t *testing.T, s subject) {
					seen := newSeen(t, c.messages)
					f := unkind{first: 1, messages: c.messages, size: c.size, bye: fg1.CodeShuttingDown}
					addr, served := listen(t, f.serve)
					res, err := s.run(testContext(t), addr, workers, seen.work)
					if serr := <-served; err != nil || serr != nil {
						t.Fatalf("client: %v; feed: %v", err, serr)
					}
					if res.Messages != uint64(c.messages) || res.Bytes != seen.bytes.Load() {
						t.Errorf("result %+v, want %d messages, %d bytes", res, c.messages, seen.bytes.Load())
					}
					seen.checkOnce()
				})
			})
		}
	}
}

// TestLimitAcksWithoutParsing: Limit derives the length of messages, their numbers and the position
// of BYE without parsing.
func TestLimitAcksWithoutParsing(t *testing.T) {
	for _, c := range []struct{ messages, size int }{
		{pingEvery - 1, 0}, {pingEvery - 1, 1}, {pingEvery - 1, 64}, {pingEvery - 1, 5000}, {5, 1 << 20}, {1, 64}, {0, 64},
	} {
		t.Run(fmt.Sprintf("%d of %d bytes", c.messages, c.size), func(t *testing.T) {
			f := unkind{first: 1 << 40, messages: c.messages, size: func(*rand.Rand) int { return c.size }}
			addr, served := listen(t, f.serve)
			res, err := baselines.Limit(testContext(t), addr, 1, idle)
			if serr := <-served; err != nil || serr != nil {
				t.Fatalf("client: %v; feed: %v", err, serr)
			}
			if res.Messages != uint64(c.messages) || res.Bytes != uint64(c.messages*c.size) {
				t.Errorf("result %+v", res)
			}
		})
	}
}

func TestClientsReportServerErrors(t *testing.T) {
	frame := func(op fg1.Op, flags uint8, code uint16, n int) []byte {
		return fg1.AppendFrame(nil, op, flags, code, 1, make([]byte, n))
	}
	for _, c := range []struct {
		name  string
		sends []byte
		want  error // nil: any
	}{
		{"end of stream", frame(fg1.Data, 0, 0, 8), io.ErrUnexpectedEOF},
		{"end within a frame", frame(fg1.Data, 0, 0, 8)[:20], io.ErrUnexpectedEOF},
		{"end within a header", frame(fg1.Data, 0, 0, 8)[:10], io.ErrUnexpectedEOF},
		{"unknown op", frame(99, 0, 0, 0), baselines.ErrProtocol},
		{"a part", frame(fg1.Data, fg1.More, 0, 8), baselines.ErrProtocol},
		{"too long", frame(fg1.Data, 0, 0, 1<<20+1)[:16], baselines.ErrProtocol},
		{"too short", append([]byte{0, 0, 0, 11}, make([]byte, 12)...), baselines.ErrProtocol},
		{"BYE for a reason", frame(fg1.Bye, 0, fg1.CodeProtocolError, 0), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, all, func(t *testing.T, s subject) {
				addr, served := listen(t, func(conn *net.TCPConn) error {
					if err := welcome(conn, 1); err != nil {
						return err
					}
					if _, err := conn.Write(c.sends); err != nil {
						return err
					}
					if err := conn.CloseWrite(); err != nil {
						return err
					}
					_, _ = io.Copy(io.Discard, conn) // a client with an error may reset
					return nil
				})
				_, err := s.run(testContext(t), addr, 2, idle)
				if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
					t.Errorf("client: %v, want %v", err, c.want)
				}
				if err := <-served; err != nil {
					t.Errorf("feed: %v", err)
				}
			})
		})
	}
}

// TestClientsReportAFaultyFrameInPieces: the header of the frame arrives in several reads.
func TestClientsReportAFaultyFrameInPieces(t *testing.T) {
	each(t, parsing, func(t *testing.T, s subject) {
		worked := make(chan struct{}, 1)
		addr, served := listen(t, func(conn *net.TCPConn) error {
			if err := welcome(conn, 1); err != nil {
				return err
			}
			b := fg1.AppendFrame(nil, fg1.Data, 0, 0, 1, make([]byte, 8))
			b = append(b, 0xff, 0xff, 0xff)
			if _, err := conn.Write(b); err != nil {
				return err
			}
			<-worked // by now, the beginning of the next frame has been read
			if _, err := conn.Write(make([]byte, 64)); err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, conn)
			return nil
		})
		_, err := s.run(testContext(t), addr, 2, func([]byte) { worked <- struct{}{} })
		if !errors.Is(err, baselines.ErrProtocol) {
			t.Errorf("client: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("feed: %v", err)
		}
	})
}
