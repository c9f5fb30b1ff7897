package peers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/bench/peers"
	"feedgate/gateway/wire/fg1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs f for every client but Limit, which sends no real acks.
func each(t *testing.T, f func(t *testing.T, run peers.Func)) {
	for _, p := range peers.Peers {
		if p.Name != "limit" {
			t.Run(p.Name, func(t *testing.T) { f(t, p.Run) })
		}
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func TestEveryMessageOnceAndAcknowledgedOnce(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages int
		size     func(*rand.Rand) int
	}{
		{"small", 10_000, func(r *rand.Rand) int { return 8 + r.IntN(200) }},
		{"mixed", 1_500, func(r *rand.Rand) int { return 8 + r.IntN(1<<r.IntN(17)) }},
		{"longest", 4, func(r *rand.Rand) int { return 1<<20 - r.IntN(2) }},
		{"one", 1, func(*rand.Rand) int { return 8 }},
		{"none", 0, nil},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(t *testing.T) {
				each(t, func(t *testing.T, run peers.Func) {
					seen := newSeen(t, c.messages)
					addr, served := listen(t, feed{c.messages, c.size, fg1.CodeShuttingDown}.serve)
					res, err := run(testContext(t), addr, workers, seen.work)
					if serr := <-served; err != nil || serr != nil {
						t.Fatalf("client: %v; feed: %v", err, serr)
					}
					if res.Messages != uint64(c.messages) || res.Elapsed <= 0 {
						t.Errorf("result %+v", res)
					}
					seen.checkOnce()
				})
			})
		}
	}
}

func TestPeersAndServer(t *testing.T) {
	const messages = 10_000
	for _, size := range []int{0, 1, 64, 5000} {
		for _, p := range peers.Peers {
			t.Run(fmt.Sprintf("%s/size=%d", p.Name, size), func(t *testing.T) {
				srv := peers.Server{Messages: messages, Size: size, Verify: true}
				var got peers.Served
				addr, served := listen(t, func(c *net.TCPConn) (err error) {
					got, err = srv.Serve(c)
					return err
				})
				res, err := p.Run(testContext(t), addr, 2, func([]byte) {})
				if serr := <-served; err != nil || serr != nil {
					t.Fatalf("client: %v; server: %v", err, serr)
				}
				if res.Messages != messages || res.Bytes != uint64(messages*size) {
					t.Errorf("result %+v", res)
				}
				if got.Messages != messages || got.Client != p.Name || got.Verified != (p.Name != "limit") || got.Elapsed <= 0 {
					t.Errorf("served %+v", got)
				}
			})
		}
	}
}

func TestClientsReportWhatTheServerDoes(t *testing.T) {
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
		{"unknown op", frame(99, 0, 0, 0), peers.ErrProtocol},
		{"a part", frame(fg1.Data, fg1.More, 0, 8), peers.ErrProtocol},
		{"too long", frame(fg1.Data, 0, 0, 1<<20+1)[:16], peers.ErrProtocol},
		{"too short", append([]byte{0, 0, 0, 11}, make([]byte, 12)...), peers.ErrProtocol},
		{"BYE for a reason", frame(fg1.Bye, 0, fg1.CodeProtocolError, 0), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, run peers.Func) {
				addr, served := listen(t, func(conn *net.TCPConn) error {
					if err := welcome(conn); err != nil {
						return err
					}
					if _, err := conn.Write(c.sends); err != nil {
						return err
					}
					if err := conn.CloseWrite(); err != nil {
						return err
					}
					_, _ = io.Copy(io.Discard, conn) // a client that gives up may reset
					return nil
				})
				_, err := run(testContext(t), addr, 2, func([]byte) {})
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

// A server that resets while acks are on their way must end the client whatever
// its goroutines wait for.
func TestClientsEndWhenTheServerResets(t *testing.T) {
	each(t, func(t *testing.T, run peers.Func) {
		addr, served := listen(t, func(c *net.TCPConn) error {
			if err := welcome(c); err != nil {
				return err
			}
			block := make([]byte, 0, 1<<20)
			for len(block) < 1<<20 {
				block = fg1.AppendFrame(block, fg1.Data, 0, 0, 1, body(1, 8))
			}
			if _, err := c.Write(block); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, make([]byte, 16)); err != nil {
				return err
			}
			return c.SetLinger(0)
		})
		if _, err := run(testContext(t), addr, 2, func([]byte) {}); err == nil {
			t.Error("no error")
		}
		if err := <-served; err != nil {
			t.Errorf("feed: %v", err)
		}
	})
}

func TestClientsEndWhenCancelled(t *testing.T) {
	for _, p := range peers.Peers {
		t.Run(p.Name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(testContext(t))
			addr, served := listen(t, func(c *net.TCPConn) error {
				if err := welcome(c); err != nil {
					return err
				}
				cancel()
				_, _ = io.Copy(io.Discard, c)
				return nil
			})
			if _, err := p.Run(ctx, addr, 2, func([]byte) {}); !errors.Is(err, context.Canceled) {
				t.Errorf("client: %v", err)
			}
			if err := <-served; err != nil {
				t.Errorf("feed: %v", err)
			}
		})
	}
}

func TestServerRefusesWrongAcks(t *testing.T) {
	ack := func(code uint16, seqs ...uint64) (b []byte) {
		for _, seq := range seqs {
			b = fg1.AppendFrame(b, fg1.Ack, 0, code, seq, nil)
		}
		return b
	}
	ping, bye := fg1.AppendFrame(nil, fg1.Ping, 0, 0, 7, nil), fg1.AppendFrame(nil, fg1.Bye, 0, 0, 0, nil)
	for _, c := range []struct {
		name  string
		sends []byte
		ok    bool
	}{
		{"right", ack(0, 3, 1, 2), true},
		{"right, with PING and BYE", slices.Concat(ping, ack(0, 1, 2, 3), bye), true},
		{"missing", ack(0, 1, 2), false},
		{"doubled", ack(0, 1, 2, 2, 3), false},
		{"doubled at the end", ack(0, 1, 2, 3, 1), false},
		{"never sent", ack(0, 1, 2, 4, 3), false},
		{"for message 0", ack(0, 0, 1, 2, 3), false},
		{"refused", slices.Concat(ack(0, 1, 2), ack(1, 3)), false},
		{"BYE too early", slices.Concat(ack(0, 1, 2), bye), false},
		{"with a payload", fg1.AppendFrame(nil, fg1.Ack, 0, 0, 1, []byte("x")), false},
		{"cut off", ack(0, 1, 2, 3)[:40], false},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := peers.Server{Messages: 3, Size: 8, Verify: true}
			addr, served := listen(t, func(conn *net.TCPConn) error {
				_, err := srv.Serve(conn)
				return err
			})
			sendAfterBye(t, addr, c.sends)
			if err := <-served; (err == nil) != c.ok {
				t.Errorf("server: %v", err)
			}
		})
	}
}

// sendAfterBye logs in, reads all that the server sends up to BYE, and then sends
// b in two pieces, so that a frame is cut.
func sendAfterBye(t *testing.T, addr string, b []byte) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(fg1.AppendFrame(nil, fg1.Hello, 0, 0, 0, []byte(`{"version":1,"client":"t"}`))); err != nil {
		t.Fatal(err)
	}
	for h := (fg1.Header{}); h.Op != fg1.Bye; {
		if h, err = read(c); err != nil {
			t.Fatal(err)
		}
	}
	cut := len(b) - 5
	if _, err := c.Write(b[:cut]); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(b[cut:]) // the server may have closed on what came before
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}
