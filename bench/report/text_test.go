package report

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"feedgate/bench"
)

// same compares texts and shows both if they differ.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const fullTable = `64 B payload, 2 workers, flat out, protocol fg; medians of 0 to 7 rounds with their spread

subject                  M msg/s                of limit  client CPU ns/msg  allocs/msg
limit           21.0 16.6–27.5       1.00 1.00–1.00          26.0 23.0–36.0           -
naive          0.182 0.170–0.190  0.00858 0.00800–0.0100     5400 5210–5602        2.31
inline-loses!   17.0 16.0–18.0          -                    45.0 41.0–48.0           -
gnet-loop!         -                    -                       -                     -
feedgate        20.4 18.4–26.5      0.920 0.840–1.60         40.0 32.0–46.0     0.00012

Fastest first: limit ~ feedgate > inline-loses! > naive
! inline-loses: acks: 7 missing; round 1: exit status 1; b; c; 2 faults more
! gnet-loop: warm-up: killed

1 KiB payload, 1 worker, 500ns of work per message, 100,000 msg/s offered, protocol fg; medians of 7 rounds with their spread

subject       k msg/s          p50 µs       p99 µs
channels  100 100–100   104 88.5–128   348 296–469
feedgate  100 100–100  48.0 40.8–58.0  156 132–210

Lowest p99 first: feedgate < channels

Between neighbours: > and <: their spreads do not overlap; ~: their spreads overlap.
Of limit: the median of the ratios to limit's msg/s in the same round.
`

func TestWriteTable(t *testing.T) {
	var b strings.Builder
	if err := WriteTable(&b, full(t).Rows); err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), fullTable)
}

// TestWriteText: the environment precedes the tables.
func TestWriteText(t *testing.T) {
	var b strings.Builder
	if err := WriteText(&b, []Source{{"results.json", full(t)}}); err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), `results.json
  machine  AMD EPYC, 2 cores, 7936 MB of memory
  kernel   Linux 6.18, TCP congestion control bbr
  go       go1.26.8, commit 68ed7db
  run      7 rounds, begun 2025-11-20T10:30:00Z
  command  feedgate bench --out "my results.json"
  note     asio LEFT OUT

`+fullTable)
}

// TestFewRounds: with one round, no difference is claimed.
func TestFewRounds(t *testing.T) {
	var b strings.Builder
	err := WriteTable(&b, []bench.Row{
		result(t, "limit", flatOut, 1, value{"msgs_per_s", 3e6, 3e6, 3e6}),
		result(t, "feedgate", flatOut, 2, value{"msgs_per_s", 2e6, 2e6, 2.5e6}),
		result(t, "inline", flatOut, 2, value{"msgs_per_s", 1e6, 1e6, 1.5e6}),
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, b.String(), `64 B payload, 2 workers, flat out, protocol fg; medians of 1 to 2 rounds with their spread

subject          M msg/s
limit     3.00
feedgate  2.00 2.00–2.50
inline    1.00 1.00–1.50

Fastest first: limit ? feedgate > inline

Between neighbours: > and <: their spreads do not overlap; ?: fewer than 2 rounds, no spread to judge by.
`)
}

// TestWidth: with all figures, no line is too long, and the other columns are in their own block.
func TestWidth(t *testing.T) {
	var values []value
	for _, m := range metrics {
		values = append(values, value{m.name, 123456.7, 0.001234, 987654.3})
	}
	var b strings.Builder
	row := result(t, strings.Repeat("name", 20), flatOut, 5, values...)
	if err := WriteTable(&b, []bench.Row{row}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > maxWidth {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	all := columns([]*bench.Row{&row})
	if len(all) != len(metrics) {
		t.Errorf("%d columns", len(all))
	}
	for _, c := range all {
		if !strings.Contains(text, c.head()) {
			t.Errorf("no %s in\n%s", c.head(), text)
		}
	}
	if n := strings.Count(text, "subject"); n < 2 || strings.Count(text, "namenamena…") != n {
		t.Errorf("%d blocks in\n%s", n, text)
	}
}

// TestHostileText: it has no control characters.
func TestHostileText(t *testing.T) {
	row := result(t, "\x1b]0;owned\a", load{protocol: "\x1b[2J"}, 3, value{"msgs_per_s", 1e6, 1e6, 1e6})
	row.Faults = []string{"first\nsecond\x1b[31m"}
	hostile := meta
	hostile.Machine, hostile.Command, hostile.Notes = "\x1b[1m", []string{"\x1b", "a b\x1b"}, []string{"\x1b"}
	file := &bench.File{Meta: hostile, Rows: []bench.Row{row, row}}
	for _, sources := range [][]Source{{{"\x1b.json", file}}, {{"\x1b.json", file}, {"b", file}}} {
		var b strings.Builder
		if err := WriteText(&b, sources); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\a\r\t") || strings.Contains(b.String(), "\nsecond") {
			t.Errorf("%q", b.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left")

func TestWriteFails(t *testing.T) {
	one := Source{"a", full(t)}
	if err := WriteTable(fullDisk{}, one.File.Rows); !errors.Is(err, errFull) {
		t.Errorf("table: %v", err)
	}
	if err := WriteText(fullDisk{}, []Source{one, one}); !errors.Is(err, errFull) {
		t.Errorf("text: %v", err)
	}
	if err := WriteHTML(fullDisk{}, []Source{one}); !errors.Is(err, errFull) {
		t.Errorf("page: %v", err)
	}
}
