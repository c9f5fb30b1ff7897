package feedserver

import (
	"encoding/json"
	"testing"
	"time"
)

// TestLatencyAt: percentiles are those of all clients together, and equal those of the total.
func TestLatencyAt(t *testing.T) {
	for _, rate := range []float64{0, 10_000} {
		s := start(t, Config{Count: 500, Clients: 2, Rate: rate})
		first, second := login(t, s, "", 0), login(t, s, "", 0)
		for _, c := range []*fgClient{first, second} {
			if code, err := c.ackAll(); err != nil || code != 0 {
				t.Fatalf("BYE with code %d, %v", code, err)
			}
			c.cut()
		}
		r := wait(t, s)
		for percentile, want := range map[float64]float64{50: r.Total.P50US, 99: r.Total.P99US, 99.9: r.Total.P999US, 100: r.Total.MaxUS} {
			got, ok := r.LatencyAt(percentile)
			if !ok || float64(got)/1e3 != want {
				t.Errorf("at %v%%: %v, %v; the total has %v us", percentile, got, ok, want)
			}
		}
		least, _ := r.LatencyAt(0)
		before := time.Duration(0)
		for percentile := 0.0; percentile <= 100; percentile += 0.5 {
			d, ok := r.LatencyAt(percentile)
			if !ok || d < before || d < least {
				t.Fatalf("at %v%%: %v, %v, after %v", percentile, d, ok, before)
			}
			before = d
		}
		if most := max(r.Clients[0].MaxUS, r.Clients[1].MaxUS); r.Total.MaxUS != most || most == 0 {
			t.Errorf("the maximum of the total is %v us, that of the clients %v us", r.Total.MaxUS, most)
		}

		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var read Report
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if d, ok := read.LatencyAt(50); ok || d != 0 {
			t.Errorf("read from JSON, the median is %v", d)
		}
	}
}

// TestLatencyAtNoAck: without acks, there is no latency.
func TestLatencyAtNoAck(t *testing.T) {
	s := start(t, Config{Window: 10})
	c := login(t, s, "", 0)
	c.data(1, 10)
	r := s.Report()
	if d, ok := r.LatencyAt(50); ok || d != 0 || r.Total.Sent != 10 {
		t.Errorf("%v, %v after %d messages", d, ok, r.Total.Sent)
	}
}
