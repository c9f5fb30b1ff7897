package report

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"feedgate/bench"
)

// TestChange: of pairs of figures.
func TestChange(t *testing.T) {
	row := func(rounds int, is, lo, hi float64) *bench.Row {
		r := result(t, "feedgate", flatOut, rounds, value{"msgs_per_s", is, lo, hi}, value{"p99_us", is, lo, hi})
		return &r
	}
	bare := row(5, 100, 90, 110)
	bare.Spread = nil
	for name, c := range map[string]struct {
		metric metric
		a, b   *bench.Row
		want   [3]string
	}{
		"rate up":             {rate, row(5, 100, 90, 110), row(5, 120, 111, 130), [3]string{"+20.0%", "*", "better"}},
		"rate down":           {rate, row(5, 100, 90, 110), row(5, 80, 70, 89), [3]string{"-20.0%", "*", "worse"}},
		"latency up":          {p99, row(5, 100, 90, 110), row(5, 120, 111, 130), [3]string{"+20.0%", "*", "worse"}},
		"latency down":        {p99, row(5, 100, 90, 110), row(5, 80, 70, 89), [3]string{"-20.0%", "*", "better"}},
		"within":              {rate, row(5, 100, 90, 110), row(5, 120, 110, 130), [3]string{"+20.0%", "~", ""}},
		"the same":            {rate, row(5, 100, 90, 110), row(5, 100, 90, 110), [3]string{"+0.0%", "~", ""}},
		"one round":           {rate, row(1, 100, 100, 100), row(5, 200, 190, 210), [3]string{"+100.0%", "?", ""}},
		"one round, too":      {rate, row(5, 100, 90, 110), row(1, 200, 200, 200), [3]string{"+100.0%", "?", ""}},
		"no spread":           {rate, bare, row(5, 200, 190, 210), [3]string{"+100.0%", "?", ""}},
		"from nothing":        {rate, row(5, 0, 0, 0), row(5, 5, 4, 6), [3]string{"from 0", "*", "better"}},
		"to nothing":          {p99, row(5, 5, 4, 6), row(5, 0, 0, 0), [3]string{"-100.0%", "*", "better"}},
		"nothing":             {rate, row(5, 0, 0, 0), row(5, 0, 0, 0), [3]string{"+0.0%", "~", ""}},
		"equal, but apart":    {rate, row(5, 100, 90, 95), row(5, 100, 101, 110), [3]string{"+0.0%", "*", ""}},
		"figure not there":    {clientCPU, row(5, 1, 1, 1), row(5, 1, 1, 1), [3]string{"-", "", ""}},
		"row not there":       {rate, row(5, 1, 1, 1), nil, [3]string{"-", "", ""}},
		"first row not there": {rate, nil, row(5, 1, 1, 1), [3]string{"-", "", ""}},
	} {
		change, mark, trend := c.metric.change(c.a, c.b)
		if got := [3]string{change, mark, trend}; got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// TestComparison: with rows in one file, rows in both, a load in one file, and an unsound row.
func TestComparison(t *testing.T) {
	before := &bench.File{Meta: meta, Rows: []bench.Row{
		result(t, "limit", flatOut, 7, value{"msgs_per_s", 21e6, 16e6, 27e6}),
		result(t, "feedgate", flatOut, 7, value{"msgs_per_s", 20e6, 19e6, 21e6}, value{"cpu_ns_per_msg", 40, 38, 44}, value{"p99_us", 100, 90, 110}),
		result(t, "feedgate", paced, 1, value{"p99_us", 100, 100, 100}),
	}}
	loses := result(t, "feedgate", flatOut, 7, value{"msgs_per_s", 24e6, 22e6, 25e6}, value{"cpu_ns_per_msg", 41, 39, 43})
	loses.Missing, loses.Duplicate, loses.Unknown = 1, 2, 3
	after := &bench.File{Meta: meta, Rows: []bench.Row{
		result(t, "naive", flatOut, 7, value{"msgs_per_s", 2e5, 1e5, 3e5}),
		loses,
		result(t, "feedgate", paced, 7, value{"p99_us", 90, 80, 95}),
		result(t, "feedgate", load{size: 16}, 7),
	}}
	after.Meta.Kernel, after.Meta.Cores = "Linux 6.19", 4
	var b strings.Builder
	writing := buffered(&b, func(w *bufio.Writer) { writeComparison(w, compare([]Source{{"a", before}, {"b", after}})) })
	if writing != nil {
		t.Fatal(writing)
	}
	same(t, b.String(), `The files differ in machine, kernel: a change may come from there.

64 B payload, 2 workers, flat out, protocol fg

subject   figure                         #1                 #2           change
limit     M msg/s            21.0 16.0–27.0      -                   -
feedgate  M msg/s            20.0 19.0–21.0  24.0! 22.0–25.0    +20.0% * better
          client CPU ns/msg  40.0 38.0–44.0  41.0! 39.0–43.0     +2.5% ~
          p99 µs              100 90.0–110       -                   -
naive     M msg/s               -            0.200 0.100–0.300       -
! #2 feedgate: acks: 1 missing, 2 doubled, 3 unknown

1 KiB payload, 1 worker, 500ns of work per message, 100,000 msg/s offered, protocol fg

subject   figure   #1              #2    change
feedgate  msg/s     -     -                 -
          p99 µs  100  90.0 80.0–95.0  -10.0% ?

16 B payload, 0 workers, flat out

subject   figure  #1  #2  change
feedgate  msg/s    -   -       -

Changes are against #1; *: the spreads do not overlap; ~: the spreads overlap; ?: fewer than 2 rounds, no spread to judge by.
`)
}

// TestComparisonOfMany: the columns of a file stay together, and lines are short.
func TestComparisonOfMany(t *testing.T) {
	var sources []Source
	for i := range 9 {
		sources = append(sources, Source{fmt.Sprint(i), full(t)})
	}
	var b strings.Builder
	if err := WriteText(&b, sources); err != nil {
		t.Fatal(err)
	}
	for i := range sources {
		n := 0
		for line := range strings.Lines(b.String()) {
			if utf8.RuneCountInString(line) > maxWidth+1 {
				t.Errorf("too long: %s", line)
			}
			if strings.HasPrefix(line, "subject") && strings.Contains(line+" ", fileLabel(i)) {
				n++
				_, after, _ := strings.Cut(line, fileLabel(i))
				if change := strings.HasPrefix(strings.TrimLeft(after, " "), "change"); change != (i > 0) {
					t.Errorf("%s: change beside it: %v in %s", fileLabel(i), change, line)
				}
			}
		}
		if n != 2 { // loads
			t.Errorf("%s is in %d tables", fileLabel(i), n)
		}
	}
}

// TestComparisonOfTwins: several rows of one subject and load are compared in order.
func TestComparisonOfTwins(t *testing.T) {
	twins := func(first, second float64) *bench.File {
		return &bench.File{Rows: []bench.Row{
			result(t, "feedgate", flatOut, 5, value{"msgs_per_s", first, first, first}),
			result(t, "feedgate", flatOut, 5, value{"msgs_per_s", second, second, second}),
		}}
	}
	c := compare([]Source{{"a", twins(1e6, 2e6)}, {"b", twins(2e6, 4e6)}})
	if len(c.Loads) != 1 || len(c.Loads[0].Lines) != 2 {
		t.Fatalf("%+v", c.Loads)
	}
	for i, want := range []string{"2.00", "4.00"} {
		if cell := c.Loads[0].Lines[i].Cells[1]; cell.Value != want || cell.Change != "+100.0%" {
			t.Errorf("line %d: %+v", i, cell)
		}
	}
	if c.Warning != "" {
		t.Error(c.Warning)
	}
}
