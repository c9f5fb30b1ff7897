package baselines_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// TestClientsEndWhenTheServerResets: while acks are in flight, whatever the client's goroutines wait for.
func TestClientsEndWhenTheServerResets(t *testing.T) {
	each(t, all, func(t *testing.T, s subject) {
		addr, served := listen(t, func(c *net.TCPConn) error {
			if err := welcome(c, 1); err != nil {
				return err
			}
			if _, err := c.Write(block()); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, make([]byte, 16)); err != nil {
				return err
			}
			return c.SetLinger(0)
		})
		if _, err := s.run(testContext(t), addr, 2, idle); err == nil {
			t.Error("no error")
		}
		if err := <-served; err != nil {
			t.Errorf("feed: %v", err)
		}
	})
}

// block returns about 1 MiB of messages.
func block() []byte {
	b := make([]byte, 0, 1<<20+64)
	for len(b) < 1<<20 {
		b = fg1.AppendFrame(b, fg1.Data, 0, 0, 1, body(1, 8))
	}
	return b
}

func TestClientsEndWhenCancelled(t *testing.T) {
	for _, messages := range []int{0, 1} {
		t.Run(fmt.Sprintf("after %d messages", messages), func(t *testing.T) {
			each(t, all, func(t *testing.T, s subject) {
				ctx, cancel := context.WithCancel(testContext(t))
				addr, served := listen(t, func(c *net.TCPConn) error {
					defer cancel()
					if err := welcome(c, 1); err != nil {
						return err
					}
					for range messages {
						if _, err := c.Write(fg1.AppendFrame(nil, fg1.Data, 0, 0, 1, body(1, 8))); err != nil {
							return err
						}
						if h, err := read(c); err != nil || h.Op != fg1.Ack {
							return fmt.Errorf("instead of an ack: %+v, %w", h, err)
						}
					}
					cancel()
					_, _ = io.Copy(io.Discard, c)
					return nil
				})
				if _, err := s.run(ctx, addr, 2, idle); !errors.Is(err, context.Canceled) {
					t.Errorf("client: %v", err)
				}
				if err := <-served; err != nil {
					t.Errorf("feed: %v", err)
				}
			})
		})
	}
}

// TestClientsStopReadingWhenAcksAreNotTaken: and can still be cancelled.
func TestClientsStopReadingWhenAcksAreNotTaken(t *testing.T) {
	const enough = 128 << 20 // bytes, several times what sockets hold
	each(t, all, func(t *testing.T, s subject) {
		t.Parallel()
		ctx, cancel := context.WithCancel(testContext(t))
		ended := make(chan struct{})
		addr, served := listenBy(t, tight, func(c *net.TCPConn) error {
			defer cancel()
			if err := welcome(c, 1); err != nil {
				return err
			}
			if err := sendUntilFull(c, enough); err != nil {
				return err
			}
			cancel()
			<-ended // before c is closed, which would end the client as well
			return nil
		})
		_, err := s.run(ctx, addr, 2, idle)
		close(ended)
		if serr := <-served; serr != nil {
			t.Errorf("feed: %v", serr)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("client: %v", err)
		}
	})
}

// sendUntilFull sends messages until a write blocks for a while. It fails the test at limit bytes.
func sendUntilFull(c net.Conn, limit int) error {
	b := block()
	rest := b
	for sent := 0; sent < limit; {
		if err := c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			return err
		}
		n, err := c.Write(rest)
		if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		sent += n
		if rest = rest[n:]; len(rest) == 0 {
			rest = b
		}
	}
	return errors.New("the client reads on and on")
}

// TestGnetSendsAcksThatByeOvertook: acks queued in gnet when BYE is read are sent before the
// client's BYE. Other clients have no queue: their writes block.
func TestGnetSendsAcksThatByeOvertook(t *testing.T) {
	const messages = 15_000 // their acks are more than sockets hold, and less than clients let gnet hold
	each(t, parsing[len(parsing)-2:], func(t *testing.T, s subject) {
		f := unkind{first: 1, messages: messages, size: func(*rand.Rand) int { return 8 }}
		var left atomic.Int64
		left.Store(messages)
		worked := make(chan struct{})
		addr, served := listenBy(t, tight, func(c *net.TCPConn) error {
			if err := errors.Join(c.SetWriteBuffer(4<<20), welcome(c, f.first), f.send(c)); err != nil {
				return err
			}
			<-worked
			return f.receive(c)
		})
		_, err := s.run(testContext(t), addr, 2, func([]byte) {
			if left.Add(-1) == 0 {
				close(worked)
			}
		})
		if serr := <-served; err != nil || serr != nil {
			t.Errorf("client: %v; feed: %v", err, serr)
		}
	})
}

// TestServerMayHalfCloseAfterBye: a server may close its sending side after BYE and still wait for
// acks. gnet cannot handle that, so its clients must return an error.
func TestServerMayHalfCloseAfterBye(t *testing.T) {
	each(t, parsing, func(t *testing.T, s subject) {
		closed := make(chan struct{})
		acked := false
		addr, served := listen(t, func(c *net.TCPConn) error {
			shut := sync.OnceFunc(func() { close(closed) })
			defer shut()
			b := fg1.AppendFrame(nil, fg1.Data, 0, 0, 1, body(1, 8))
			b = fg1.AppendFrame(b, fg1.Bye, 0, 0, 0, nil)
			if err := welcome(c, 1); err != nil {
				return err
			}
			if _, err := c.Write(b); err != nil {
				return err
			}
			if err := c.CloseWrite(); err != nil {
				return err
			}
			shut()
			h, err := read(c)
			acked = err == nil && h.Op == fg1.Ack
			_, _ = io.Copy(io.Discard, c)
			return nil
		})
		_, err := s.run(testContext(t), addr, 2, func([]byte) {
			<-closed
			time.Sleep(10 * time.Millisecond) // gnet may see the end of the stream before the ack, or not
		})
		if serr := <-served; serr != nil {
			t.Errorf("feed: %v", serr)
		}
		if (err == nil) != acked || err != nil && s.name != "gnet-async" {
			t.Errorf("client: %v; acknowledged: %v", err, acked)
		}
	})
}
