package stream

import (
	"testing"

	"feedgate/gateway/wire"
)

// TestProbe: a probe does not send the hello, which may begin a subscription.
func TestProbe(t *testing.T) {
	codec, err := New(Config{Frame: "line", Hello: "HI", MaxMessage: 100})
	if err != nil {
		t.Fatal(err)
	}
	for probe, want := range map[bool]string{false: "HI", true: ""} {
		if got := codec.NewConn().AppendHello(nil, wire.Hello{Probe: probe}); string(got) != want {
			t.Errorf("probe %v: %q, not %q", probe, got, want)
		}
	}
}
