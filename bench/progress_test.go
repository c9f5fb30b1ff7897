package bench

import (
	"strings"
	"testing"
	"time"
)

func TestPlainProgress(t *testing.T) {
	var out strings.Builder
	observe, end := NewProgress(&out)
	p := Progress{Done: 3, Total: 20, Subject: "inline", Size: 64, Workers: 2, Rounds: 5, Acknowledged: 5, Left: 90 * time.Second}
	observe(p)
	p.Ended, p.MsgsPerS = true, 12.3456e6
	observe(p)
	p.Round, p.Fault = 4, "broken"
	observe(p)
	end()
	want := " 3/20  warm-up   inline                64 bytes  2 workers     12.346 M msg/s  1m30s left\n" +
		" 3/20  round 4   inline                64 bytes  2 workers  FAILED: broken  1m30s left\n"
	if out.String() != want {
		t.Errorf("wrote\n%swant\n%s", out.String(), want)
	}
}

func TestBarFitsItsLine(t *testing.T) {
	p := Progress{Done: 10, Total: 20, Subject: "inline", Size: 64, Workers: 2, Round: 1, Acknowledged: 5_000_000, Left: time.Minute}
	if got, want := barLine(&p, 120), "[###############...............] 10/20  round 1  inline  64 B  2 workers      5.000 M msgs   1m0s left"; got != want {
		t.Errorf("wrote %q\nwant  %q", got, want)
	}
	for width := range 120 {
		if got := barLine(&p, width); len(got) > max(width-1, 0) {
			t.Errorf("%d columns: %q", width, got)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	var last Progress
	w := newWatch(func(p Progress) { last = p }, &Config{Sizes: []int{1}, Workers: []int{1, 2}, Rounds: 4}, 2)
	w.begin("inline", load{1, 1}, 0)
	if last.Total != 20 || last.Left != 0 {
		t.Errorf("%+v", last)
	}
	w.begun = w.begun.Add(-10 * time.Second)
	w.end(new(sample))
	if last.Done != 1 || last.Left < 19*10*time.Second {
		t.Errorf("%+v", last)
	}
}
