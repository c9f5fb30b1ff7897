package gateway

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
)

// confirming is a server that accepts every batch.
type confirming struct{}

func (confirming) Send(_ context.Context, b *kit.Batch) { b.ResolveAll(kit.Done()) }
func (confirming) Close() error                         { return nil }

// TestNoSinkWaitsWhileTheWindowIsFull: a sink that waits up to an hour for a full batch sends a
// partial one as soon as the gateway stops reading.
func TestNoSinkWaitsWhileTheWindowIsFull(t *testing.T) {
	for name, c := range map[string]struct {
		workers int
		memory  int64
		window  int
		size    int
	}{
		"one worker":  {1, 0, 20, 4},
		"two workers": {2, 0, 20, 4},
		"memory":      {1, 4 << 10, 0, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t)
			common := sink.Config{}.WithDefaults()
			out := kit.Open(kit.Config{
				Open: func(*kit.Sink, int) (kit.Client, error) { return confirming{}, nil }, Linger: time.Hour, MaxMessages: 1000,
			}, &common)
			cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), nil)
			cfg.InFlight, cfg.Workers, cfg.Sink = c.window, c.workers, out
			setFlag(&cfg, "frame", "line")
			setFlag(&cfg, "ack-template", `A\n`)
			if c.memory > 0 {
				cfg.MaxMessage, cfg.Memory = c.memory/4, c.memory
			}
			r := start(t, cfg)
			conn := s.accept()
			line := strings.Repeat("x", c.size) + "\n"
			const rounds, n = 20, 20
			go func() {
				for range rounds {
					if _, err := io.WriteString(conn, strings.Repeat(line, n)); err != nil {
						t.Error(err)
					}
				}
				if err := conn.CloseWrite(); err != nil {
					t.Error(err)
				}
			}()
			acks, err := io.ReadAll(conn)
			if err != nil || string(acks) != strings.Repeat("A\n", rounds*n) {
				t.Errorf("%d bytes of acks, %v", len(acks), err)
			}
			if err := r.wait(); err != nil {
				t.Error(err)
			}
			if err := out.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

var _ worker.Sink = (*kit.Sink)(nil)
