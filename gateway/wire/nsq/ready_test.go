package nsq

import (
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
)

// TestMemoryBoundsReady: RDY is lowered at once when messages are long, and raised again at the
// next Ticks when they are short.
func TestMemoryBoundsReady(t *testing.T) {
	cfg := testConfig()
	cfg.MaxMessage, cfg.Memory = 1<<20, 200_000
	c, _ := opened(t, cfg, identifiedJSON)
	decode := func(n, size int) string {
		t.Helper()
		in := wire.Input{Msgs: make([]wire.Msg, 0, n+1)}
		var b []byte
		for range n {
			b = append(b, get(1, strings.Repeat("x", size-messageHead))...)
		}
		if err := c.Decode(b, &in); err != nil || len(in.Msgs) != n {
			t.Fatalf("%d messages, %v", len(in.Msgs), err)
		}
		return string(in.Out)
	}
	c.Tick(nil, time.Second)
	for _, step := range []struct {
		n, size int
		want    string
	}{
		{1, 1000, ""},  // 200 would fit, 100 are asked for
		{64, 2000, ""}, // 100
		{64, 2200, ""}, // 90: about the same
		{64, 10_000, "RDY 20\n"},
		{1, 10_000, ""},
		{1, 1_000_000, "RDY 7\n"}, // a long one among them
		{64, 250_000, "RDY 1\n"},  // not even one fits
		{64, 100, ""},
	} {
		if commands := decode(step.n, step.size); commands != step.want {
			t.Fatalf("%d of %d bytes: %q, want %q", step.n, step.size, commands, step.want)
		}
	}
	if commands, _ := until(c, 2*time.Second, 4*time.Second); len(commands) != 1 || commands[0] != "RDY 100\n" {
		t.Errorf("sent %q", commands)
	}
	c.AppendStop(nil)
	if commands := decode(64, 10_000); commands != "" {
		t.Errorf("after CLS: %q", commands)
	}
}
