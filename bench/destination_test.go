package bench_test

import (
	"errors"
	"strings"
	"testing"

	"feedgate/bench"
)

// TestDestinations: what is passed on is counted at the destination.
func TestDestinations(t *testing.T) {
	const count = 3000
	var subjects []string
	for _, s := range bench.Subjects {
		if s.Destination != "" && s.Program == "" {
			subjects = append(subjects, s.Name)
		}
	}
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: subjects, Msgs: count, Rounds: 1, Keys: 37, Self: self(t),
	}, quiet)
	for _, r := range file.Rows {
		for _, fault := range r.Faults {
			t.Errorf("%s: %s", r.Subject, fault)
		}
	}
	if err != nil || len(subjects) < 9 || len(file.Rows) != len(subjects) {
		t.Fatalf("%d rows of %q, %v", len(file.Rows), subjects, err)
	}
	for _, r := range file.Rows {
		if !r.Sound() || *r.Msgs != count || *r.MsgsPerS <= 0 || *r.CPUNSPerMsg <= 0 || *r.FeedCPUNSPerMsg <= 0 {
			t.Errorf("row %+v", r)
		}
		if acked := r.Protocol != "line"; acked != (r.P50US != nil) || acked != (r.MaxUS != nil) || acked != (len(r.Latency) > 0) {
			t.Errorf("%s has a latency without acks, or none with acks", r.Subject)
		}
	}
}

// unwritten is a Benthos that reports every message, and writes none.
const unwritten = `for a; do
	case $a in file:*) a=discard: ;; esac
	set -- "$@" "$a"
	shift
done
exec "${0%/*}/harness" bench-subject line-discard "$@"`

// TestMissingAtTheDestination: what a client only claims to have passed on is a fault.
func TestMissingAtTheDestination(t *testing.T) {
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"benthos-file", "benthos-drop"}, Msgs: 2000, Rounds: 1,
		Self: script(t, "feedgate-benthos", unwritten),
	}, quiet)
	if !errors.Is(err, bench.ErrUnsound) || len(file.Rows) != 2 {
		t.Fatalf("%v, %+v", err, file)
	}
	const want = "0 messages are at the destination, and 2000 were acknowledged"
	if r := file.Rows[0]; r.Sound() || r.MsgsPerS != nil || len(r.Faults) != 2 || !strings.Contains(r.Faults[1], want) {
		t.Errorf("row %+v", r)
	}
	if r := file.Rows[1]; !r.Sound() || *r.Msgs != 2000 {
		t.Errorf("row %+v", r)
	}
}

// TestLostWithoutAcks: what a client does not report is missing.
func TestLostWithoutAcks(t *testing.T) {
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"benthos-drop"}, Msgs: 2000, Rounds: 1,
		Self: script(t, "feedgate-benthos", `"${0%/*}/harness" bench-subject line-discard "$@" | sed -u 's/"messages":2000/"messages":1999/'`),
	}, quiet)
	if !errors.Is(err, bench.ErrUnsound) || file.Rows[0].Missing != 2 || *file.Rows[0].Msgs != 1999 {
		t.Fatalf("%v, %+v", err, file)
	}
}
