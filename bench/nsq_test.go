package bench_test

import (
	"testing"

	"feedgate/bench"
)

// TestNSQ: nsqd is the feed, and measures no latency.
func TestNSQ(t *testing.T) {
	const count = 5000
	subjects := []string{"nsq-go-nsq", "nsq-go-nsq-tuned", "nsq-inline", "nsq-feedgate"}
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: subjects, Msgs: count, Rounds: 1, Self: self(t),
	}, quiet)
	if file == nil {
		t.Fatal(err)
	}
	for _, r := range file.Rows {
		for _, fault := range r.Faults {
			t.Errorf("%s: %s", r.Subject, fault)
		}
	}
	if err != nil || len(file.Rows) != len(subjects) {
		t.Fatalf("%d rows, %v, notes %q", len(file.Rows), err, file.Meta.Notes)
	}
	for i, r := range file.Rows {
		if r.Subject != subjects[i] || r.Protocol != "nsq" || !r.Sound() || *r.Msgs != count || *r.MsgsPerS <= 0 || *r.FeedCPUNSPerMsg <= 0 {
			t.Errorf("row %+v", r)
		}
		if r.P50US != nil || r.P99US != nil || r.P999US != nil || r.MaxUS != nil || len(r.Latency) > 0 {
			t.Errorf("%s has a latency, which nobody measures", r.Subject)
		}
	}
}
