package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"feedgate/bench"

	"pgregory.net/rapid"
)

// checkTexts fails if a text of the drawing is cut off by its edge, or two texts touch.
func checkTexts(t interface{ Fatalf(string, ...any) }, c *svgCanvas) {
	width, height := c.width.Points(), c.height.Points()
	for i, a := range c.texts {
		if a.left < 0 || a.top < -3 || a.right > width || a.bottom > height+3 { // the box includes the space for accents
			t.Fatalf("%q is cut off: %+v of %v x %v", a.text, a, width, height)
		}
		for _, b := range c.texts[:i] {
			if a.left < b.right && b.left < a.right && a.top+leading < b.bottom && b.top+leading < a.bottom {
				t.Fatalf("%q and %q touch: %+v, %+v", a.text, b.text, a, b)
			}
		}
	}
}

// leading is how much the boxes of two lines may overlap: digits and letters are lower than the box.
const leading = 2.5

// subjectNames are as short, as long and as wide as names can be.
var subjectNames = rapid.OneOf(
	rapid.SampledFrom([]string{"a", "limit", "feedgate", "nsq-go-nsq-tuned", "feedgate-key@/tmp/before/bin/feedgate-bench", strings.Repeat("W", 50), strings.Repeat("名", 40)}),
	rapid.StringMatching(`[a-zA-Z@/._-]{1,60}`),
)

// figureOf draws a figure of any magnitude with a spread.
func figureOf(t *rapid.T, name string) value {
	exponent := rapid.Float64Range(-5.5, 11).Draw(t, name)
	v := math.Pow(10, exponent)
	if rapid.Bool().Draw(t, "near") {
		v = rapid.Float64Range(10, 40).Draw(t, name)
	}
	wide := rapid.Float64Range(1, 3).Draw(t, "spread")
	return value{name, v, v / wide, v * wide}
}

// TestLabelsDoNotTouch: of charts with any figures and any subjects.
func TestLabelsDoNotTouch(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(subjectNames, 2, 2*maxLines, rapid.ID).Draw(t, "names")
		sizes := rapid.SliceOfNDistinct(rapid.SampledFrom([]int{1, 16, 17, 20, 64, 256, 1000, 1024, 1500, 8192, 65536, 1 << 20}), 1, 12, rapid.ID).Draw(t, "sizes")
		var rows []bench.Row
		for _, size := range sizes {
			for _, name := range names {
				row := result(outer, name, load{size: size, workers: 1 + size%7, protocol: "fg"}, 5, figureOf(t, "msgs_per_s"), figureOf(t, "cpu_ns_per_msg"))
				rows = append(rows, withLatencies(row, rapid.Float64Range(0.01, 1e6).Draw(t, "latency")))
			}
		}
		s := newStudio()
		var all []chart
		for _, g := range grouped(pointers(rows), loadOf) {
			all = append(append(all, s.ofLoad(g)...), s.latency(g)...)
		}
		for _, a := range axes {
			all = append(all, s.along(a, pointers(rows))...)
		}
		if len(all) < 3 {
			t.Fatalf("%d charts", len(all))
		}
		for _, c := range all {
			checkTexts(t, c.canvas)
		}
	})
}

// TestLabelsOfTheDocs: of the charts of results that are in the docs.
func TestLabelsOfTheDocs(t *testing.T) {
	for _, name := range []string{"main", "sizes", "workers", "rate", "nsq", "websocket", "control"} {
		source, err := Load(fmt.Sprintf("../../docs/benchmarks/%s.json", name))
		if err != nil {
			t.Fatal(err)
		}
		page := newStudio().file(&source, "a")
		all := page.Charts
		for _, l := range page.Loads {
			all = append(all, l.Charts...)
		}
		if len(all) < 2 {
			t.Fatalf("%s: %d charts", name, len(all))
		}
		for _, c := range all {
			checkTexts(t, c.canvas)
		}
	}
}
