package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"feedgate/bench"

	"pgregory.net/rapid"
)

func TestUnitOfColumns(t *testing.T) {
	for _, c := range []struct {
		name   string
		metric metric
		values [][]value // of each row
		want   string
	}{
		{"µs", p99, [][]value{{{"p99_us", 156, 132, 210}}}, "p99 µs"},
		{"never 25600 µs", p99, [][]value{{{"p99_us", 25600, 20000, 30000}}}, "p99 ms"},
		{"a median of 1000 µs", p99, [][]value{{{"p99_us", 1000, 900, 1100}}}, "p99 ms"},
		{"a long end of a spread", p99, [][]value{{{"p99_us", 900, 800, 12493}}}, "p99 ms"},
		{"an end of 4 digits", p99, [][]value{{{"p99_us", 900, 800, 1100}}}, "p99 µs"},
		{"the unit of the other percentiles", p99, [][]value{{{"p99_us", 376, 300, 400}, {"max_us", 4362, 3131, 4956}}}, "p99 ms"},
		{"of other rows", p99, [][]value{{{"p99_us", 376, 300, 400}}, {{"p50_us", 4362, 3131, 4956}}}, "p99 ms"},
		{"ns", p99, [][]value{{{"p99_us", 0.8, 0.7, 0.9}}}, "p99 ns"},
		{"s", p99, [][]value{{{"p99_us", 5e6, 4e6, 6e6}}}, "p99 s"},
		{"the last", p99, [][]value{{{"p99_us", 5e60, 4e6, 6e6}}}, "p99 s"},
		{"CPU", clientCPU, [][]value{{{"cpu_ns_per_msg", 18, 17, 22}}, {{"cpu_ns_per_msg", 4906, 3819, 5929}}}, "client CPU ns/msg"},
		{"much CPU", clientCPU, [][]value{{{"cpu_ns_per_msg", 13246, 9680, 17493}}}, "client CPU µs/msg"},
		{"M", rate, [][]value{{{"msgs_per_s", 21e6, 2e6, 3e7}}, {{"msgs_per_s", 2e5, 1e5, 3e5}}}, "M msg/s"},
		{"k", rate, [][]value{{{"msgs_per_s", 799e3, 701e3, 952e3}}}, "k msg/s"},
		{"one", rate, [][]value{{{"msgs_per_s", 5, 4, 6}}}, "msg/s"},
		{"nothing", rate, [][]value{{}}, "msg/s"},
	} {
		var rows []*bench.Row
		for _, values := range c.values {
			row := result(t, "a", flatOut, 5, values...)
			rows = append(rows, &row)
		}
		if got := c.metric.column(rows).head(); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
}

// TestUnitOfChart: the table has the unit of the chart of latencies below it, whose values are more.
func TestUnitOfChart(t *testing.T) {
	row := withLatencies(result(t, "a", flatOut, 5, value{"p99_us", 900, 800, 950}), 100) // up to 3200
	if got := p99.column([]*bench.Row{&row, nil}).head(); got != "p99 ms" {
		t.Error(got)
	}
}

// TestUnitAcrossLoads: if tables have several units, each value of the axis has its own.
func TestUnitAcrossLoads(t *testing.T) {
	small := result(t, "a", load{size: 16}, 5, value{"cpu_ns_per_msg", 10, 9, 11})
	large := result(t, "a", load{size: 65536}, 5, value{"cpu_ns_per_msg", 13246, 9680, 17493})
	c, title, text := clientCPU.across([]*bench.Row{&small, &large})
	if got := text(*c.of(&large)/c.unit.scale, figure); title != "client CPU per msg" || got != "13.2 µs" {
		t.Errorf("%s, %s", title, got)
	}
	c, title, text = clientCPU.across([]*bench.Row{&large})
	if got := text(*c.of(&large)/c.unit.scale, figure); title != "client CPU µs/msg" || got != "13.2" {
		t.Errorf("%s, %s", title, got)
	}
}

func TestValueWithUnit(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 5: "5.00 ns", 999: "999 ns", 1000: "1.00 µs", 25600: "25.6 µs", 3e6: "3.00 ms", 2e9: "2.00 s"} {
		if got := cpuTimes.value(v, figure); got != want {
			t.Errorf("%v: %s, not %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{50: "50", 50e3: "50 k", 2e6: "2 M"} {
		if got := rates.value(v, tickText); got != want {
			t.Errorf("%v: %s, not %s", v, got, want)
		}
	}
}

var fewDigits = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]+)?$`)

// TestTimesAreShort: a time below 10,000 s is a number of at most 4 digits before the point.
func TestTimesAreShort(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rows []*bench.Row
		for i := range rapid.IntRange(1, 4).Draw(rt, "rows") {
			us := rapid.Float64Range(1e-3, 5e9).Draw(rt, fmt.Sprint("p99 of ", i))
			row := result(t, "a", flatOut, 5, value{"p99_us", us, us / 2, us * 1.5}, value{"cpu_ns_per_msg", us, us / 2, us * 1.5})
			rows = append(rows, &row)
		}
		for _, m := range []metric{p99, clientCPU} {
			c := m.column(rows)
			for _, r := range rows {
				shown, spread := c.text(r)
				for _, text := range append(strings.Split(spread, "–"), shown) {
					v, err := strconv.ParseFloat(text, 64)
					if err != nil || v >= 1e-4 && !fewDigits.MatchString(text) {
						rt.Fatalf("%s: %q", c.head(), text)
					}
				}
			}
		}
	})
}
