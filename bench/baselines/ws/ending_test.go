package ws_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"feedgate/bench/baselines"
)

// TestClientsReportServerErrors: and do not process an unfinished message.
func TestClientsReportServerErrors(t *testing.T) {
	whole := appendFrame(nil, fin|opText, []byte("whole"))
	then := func(b ...byte) []byte { return append(whole[:len(whole):len(whole)], b...) }
	closing := func(code uint16) []byte { return appendClose(then(), code) }
	for _, c := range []struct {
		name  string
		sends []byte
		want  error // nil: any
	}{
		{"end of stream", whole, io.ErrUnexpectedEOF},
		{"end within a head", then(fin | opText), io.ErrUnexpectedEOF},
		{"end within a length", then(fin|opText, 126, 1), io.ErrUnexpectedEOF},
		{"end after a header", then(fin|opText, 5), io.ErrUnexpectedEOF},
		{"end within a payload", then(fin|opText, 5, 'a', 'b'), io.ErrUnexpectedEOF},
		{"end between fragments", then(opText, 2, 'a', 'b'), io.ErrUnexpectedEOF},
		{"end within Close", then(fin|opClose, 2, 3), nil},
		{"opcode", then(fin|3, 0), nil},
		{"continuation of nothing", then(fin|opContinuation, 0), nil},
		{"reserved bit", then(fin|opText|0x40, 0), nil},
		{"too long", appendFrame(then(), fin|opText, make([]byte, 1<<20+1)), nil},
		{"Close that complains", closing(1011), nil},
		{"Close with half a code", then(fin|opClose, 1, 3), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, run baselines.Func) {
				addr, served := listen(t, func(s *server) error {
					if err := s.send(c.sends); err != nil {
						return err
					}
					_ = s.CloseWrite() // a client with an error may reset
					_, _ = io.Copy(io.Discard, s)
					return nil
				})
				var worked atomic.Int64
				_, err := run(testContext(t), addr, 2, func([]byte) { worked.Add(1) })
				if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
					t.Errorf("client: %v, want %v", err, c.want)
				}
				if err := <-served; err != nil {
					t.Errorf("server: %v", err)
				}
				if worked.Load() != 1 {
					t.Errorf("%d messages were worked on", worked.Load())
				}
			})
		})
	}
}

func TestCleanCloseIsNoError(t *testing.T) {
	for _, code := range []uint16{1000, 1001, 0} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			each(t, func(t *testing.T, run baselines.Func) {
				addr, served := listen(t, func(s *server) error {
					if err := s.send(appendClose(nil, code)); err != nil {
						return err
					}
					op, _, err := s.read()
					if err == nil && op != opClose {
						err = fmt.Errorf("client answers with opcode %d", op)
					}
					return err
				})
				res, err := run(testContext(t), addr, 1, idle)
				if serr := <-served; err != nil || serr != nil {
					t.Errorf("client: %v; server: %v", err, serr)
				}
				if res != (baselines.Result{}) {
					t.Errorf("result %+v", res)
				}
			})
		})
	}
}

func TestResponseWithoutUpgradeIsAnError(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":  "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n\x88\x02\x03\xe8 etc.",
		"no HTTP":  "\x88\x02\x03\xe8",
		"wrong":    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
		"no reply": "",
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, run baselines.Func) {
				addr, served := listen(t, func(s *server) error {
					if _, err := s.accepted(); err != nil {
						return err
					}
					_, err := io.WriteString(s, answer)
					return err
				})
				if _, err := run(testContext(t), addr, 1, idle); err == nil {
					t.Error("no error")
				}
				if err := <-served; err != nil {
					t.Errorf("server: %v", err)
				}
			})
		})
	}
}

// TestResetEndsTheClient: unsent acks block no goroutine.
func TestResetEndsTheClient(t *testing.T) {
	each(t, func(t *testing.T, run baselines.Func) {
		reset := make(chan struct{})
		addr, served := listen(t, func(s *server) error {
			defer close(reset)
			var b []byte
			for range 3000 {
				b = appendFrame(b, fin|opText, []byte("message"))
			}
			if err := s.send(b); err != nil {
				return err
			}
			if err := s.SetLinger(0); err != nil {
				return err
			}
			return s.Close()
		})
		_, err := run(testContext(t), addr, 1, func([]byte) { <-reset })
		if err == nil {
			t.Error("no error")
		}
		if err := <-served; err != nil {
			t.Errorf("server: %v", err)
		}
	})
}

func TestCancelledClientReturnsTheCause(t *testing.T) {
	for name, b := range map[string][]byte{
		"handshake": nil,
		"waiting":   appendFrame(nil, fin|opText, []byte("message")),
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, run baselines.Func) {
				ctx, cancel := context.WithCancel(testContext(t))
				addr, served := listen(t, func(s *server) error {
					if b == nil {
						cancel()
					} else if err := s.send(b); err != nil {
						return err
					}
					_, _ = io.Copy(io.Discard, s)
					return nil
				})
				if _, err := run(ctx, addr, 2, func([]byte) { cancel() }); !errors.Is(err, context.Canceled) {
					t.Errorf("client: %v", err)
				}
				if err := <-served; err != nil {
					t.Errorf("server: %v", err)
				}
			})
		})
	}
}
