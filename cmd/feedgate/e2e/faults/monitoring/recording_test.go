package monitoring

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

var record = flag.Bool("record", false, "make the recordings in testdata again, half a minute each")

// recordings are gateways whose scrapes are in testdata/NAME.txt, and what fires for them.
var recordings = []struct {
	name  string
	feed  feedserver.Config
	args  []string // SCRATCH is a directory
	fires []sample
}{
	{name: "idle", feed: feedserver.Config{Rate: 0.2}},
	{name: "flat-out", args: []string{"--workers=2"}},
	{name: "flat-out-file", args: []string{"--sink=file:SCRATCH/sink"}},
	// Shows that a recording can make an alert fire.
	{name: "slow-workers", args: []string{"--sink=spin:1ms", "--workers=2"},
		fires: []sample{{`{alertname="FeedgateReadingStopped"}`, 1}}},
}

// recording is a number of scrapes, a second apart.
type recording struct {
	At     []float64            // when they were, in seconds from the first
	Series map[string][]float64 // the values of each series
}

// recordedUpstream stands for the feed, whose port differs each time.
const recordedUpstream = "fg://feed:7000"

// scrapes is the number of scrapes in a recording, and step is how much later one is continued for
// each of its scrapes: a recording that is played back lasts for hours.
const (
	scrapes = 20
	step    = 15 * time.Second
	plays   = 25
)

// TestRecorded plays the recordings back: what fires is what should.
func TestRecorded(t *testing.T) {
	known := newChecker(scrapeAll(t))
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) {
			file := "testdata/" + r.name + ".txt"
			if *record {
				feed := serve(t, r.feed)
				args := []string{"fg://" + feed.Addr().String()}
				for _, arg := range r.args {
					args = append(args, strings.ReplaceAll(arg, "SCRATCH", t.TempDir()))
				}
				p := testkit.Start(t, testkit.Launch{Admin: true, Args: args})
				writeRecording(t, file, recordScrapes(t, p, feed.Addr().String()))
			}
			c := testCase{Interval: step.String()}
			for name, values := range readRecording(t, file).playBack() {
				for _, fault := range known.check(strings.ReplaceAll(name, `"`+recordedUpstream+`"`, `~"fg://.*"`)) {
					t.Errorf("%s is out of date, see -record: %s", file, fault)
				}
				c.Input = append(c.Input, inputSeries{name, values})
			}
			for _, at := range []string{"5m", "15m", "30m", "1h", "2h"} {
				q := queryTest{Expr: `count by (alertname) (ALERTS{alertstate="firing"})`, At: at, Samples: []sample{}}
				if at == "30m" || at == "1h" || at == "2h" {
					q.Samples = append(q.Samples, r.fires...)
				}
				c.Queries = append(c.Queries, q)
			}
			rules, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			unitTest{[]string{rules + "/" + rulesFile}, "30s", []testCase{c}}.run(t)
		})
	}
}

// recordScrapes scrapes a gateway a second apart. It keeps the series that the rules use.
func recordScrapes(t *testing.T, p *testkit.Process, feed string) recording {
	t.Helper()
	p.WaitLog("connected and logged in")
	used := usedByRules(t)
	r := recording{Series: make(map[string][]float64)}
	start := time.Now()
	for tick := time.NewTicker(time.Second); len(r.At) < scrapes; <-tick.C {
		r.At = append(r.At, float64(time.Since(start).Milliseconds())/1000)
		for _, s := range append(scrape(t, p), upSeries) {
			if used[s.labels["__name__"]] {
				name := strings.ReplaceAll(s.name(), "fg://"+feed, recordedUpstream)
				r.Series[name] = append(r.Series[name], s.value)
			}
		}
	}
	return r
}

// usedByRules returns the metrics of the rules.
func usedByRules(t *testing.T) map[string]bool {
	t.Helper()
	used := make(map[string]bool)
	for _, r := range readRules(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if s, ok := node.(*parser.VectorSelector); ok {
				used[s.Name] = true
			}
			return nil
		})
	}
	return used
}

// The file of a recording has a line for each series: its name, and its value at each scrape. The line
// "at" has the times.
func writeRecording(t *testing.T, file string, r recording) {
	t.Helper()
	var text strings.Builder
	line := func(name string, values []float64) {
		fmt.Fprintln(&text, name, strings.Trim(fmt.Sprint(values), "[]"))
	}
	line("at", r.At)
	for _, name := range slices.Sorted(maps.Keys(r.Series)) {
		line(name, r.Series[name])
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readRecording(t *testing.T, file string) recording {
	t.Helper()
	r := recording{Series: make(map[string][]float64)}
	for line := range strings.Lines(read(t, file)) {
		words := strings.Fields(line)
		values := make([]float64, len(words)-1)
		for i, word := range words[1:] {
			var err error
			if values[i], err = strconv.ParseFloat(word, 64); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		if len(values) != scrapes {
			t.Fatalf("%s: %s has %d values, not %d", file, words[0], len(values), scrapes)
		}
		if words[0] == "at" {
			r.At = values
		} else {
			r.Series[words[0]] = values
		}
	}
	if len(r.At) != scrapes || len(r.Series) < 20 {
		t.Fatalf("%s has %d series", file, len(r.Series))
	}
	return r
}

// playBack returns the values of each series over plays repetitions of the recording, one for each
// step. Gauges repeat; counters rise as fast as they did, again and again.
func (r recording) playBack() map[string]string {
	all := make(map[string]string)
	for name, values := range r.Series {
		var text strings.Builder
		counter := strings.Contains(name, "_total{")
		now := values[0]
		for range plays {
			for i := 1; i < len(values); i++ {
				fmt.Fprintf(&text, "%g ", now)
				if rate := (values[i] - values[i-1]) / (r.At[i] - r.At[i-1]); counter {
					now += rate * step.Seconds()
				} else {
					now = values[i]
				}
			}
		}
		all[name] = strings.TrimSpace(text.String())
	}
	return all
}
