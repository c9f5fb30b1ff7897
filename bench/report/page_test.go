package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"feedgate/bench"
)

// element is a node of a page.
type element struct {
	name     string
	attr     map[string]string
	text     string // directly in it
	children []*element
}

// all returns the elements with a name, in order.
func (e *element) all(name string) (found []*element) {
	if e.name == name {
		found = append(found, e)
	}
	for _, child := range e.children {
		found = append(found, child.all(name)...)
	}
	return found
}

// walk calls visit with it and every element in it, in order.
func (e *element) walk(visit func(*element)) {
	visit(e)
	for _, child := range e.children {
		child.walk(visit)
	}
}

// content returns all text in it.
func (e *element) content() string {
	text := e.text
	for _, child := range e.children {
		text += child.content()
	}
	return text
}

// Elements and attributes that a page may have. None of them executes or loads anything, except
// through styles.
var (
	harmlessElements = strings.Fields(`html head meta title style body header nav main section h1 h2 h3 p a dl dt dd ul li div
		span small table caption thead tbody tr th td figure figcaption details summary svg path text`)
	harmlessAttributes = strings.Fields(`lang charset name content http-equiv class id href scope colspan rowspan
		tabindex xmlns viewBox role aria-label d x y fill fill-opacity stroke stroke-width font-size font-weight textLength lengthAdjust`)
)

// parsePage makes and parses a page. It fails if the page is malformed or has anything harmful.
func parsePage(t *testing.T, sources ...Source) *element {
	t.Helper()
	var b strings.Builder
	if err := WriteHTML(&b, sources); err != nil {
		t.Fatal(err)
	}
	root := new(element)
	open := []*element{root}
	decoder := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%.3000s", err, b.String())
		}
		here := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			child := &element{name: token.Name.Local, attr: make(map[string]string)}
			if !slices.Contains(harmlessElements, child.name) {
				t.Errorf("element %s", child.name)
			}
			for _, a := range token.Attr {
				child.attr[a.Name.Local] = a.Value
				if !slices.Contains(harmlessAttributes, a.Name.Local) || a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") {
					t.Errorf("element %s has %s=%q", child.name, a.Name.Local, a.Value)
				}
			}
			here.children = append(here.children, child)
			open = append(open, child)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			here.text += string(token)
		case xml.Comment, xml.ProcInst:
			t.Errorf("%T", token)
		}
	}
	checkStyles(t, root)
	return root
}

// checkStyles fails if a style could load something.
func checkStyles(t *testing.T, e *element) {
	t.Helper()
	style := ""
	if e.name == "style" {
		style = e.text
	}
	for _, word := range []string{"url", "@import", "http", "expression", "\\"} {
		if strings.Contains(strings.ToLower(style), word) {
			t.Errorf("style with %s", word)
		}
	}
	for _, child := range e.children {
		checkStyles(t, child)
	}
}

// captions returns the captions of the figures. Each must have one drawing.
func captions(t *testing.T, page *element) (all []string) {
	t.Helper()
	for _, f := range page.all("figure") {
		if len(f.all("svg")) != 1 || len(f.all("figcaption")) != 1 || len(f.all("path")) == 0 {
			t.Errorf("a figure with %d drawings and %d captions", len(f.all("svg")), len(f.all("figcaption")))
		}
		all = append(all, f.all("figcaption")[0].content())
	}
	if n := len(page.all("svg")); n != len(all) {
		t.Errorf("%d drawings in %d figures", n, len(all))
	}
	return all
}

// sameList compares lists and shows the differences.
func sameList(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestPage: it has the contents of the text, and the appropriate charts.
func TestPage(t *testing.T) {
	page := parsePage(t, Source{"results.json", full(t)})
	sameList(t, captions(t, page), []string{
		"Throughput by subject, 64 B payload, 2 workers, flat out, protocol fg: medians of 0 to 7 rounds with their spread.",
		"Processor time of the client per message by subject on a logarithmic scale, 64 B payload, 2 workers, flat out, protocol fg: medians of 0 to 7 rounds with their spread.",
		"Throughput by subject, 1 KiB payload, 1 worker, 500ns of work per message, 100,000 msg/s offered, protocol fg: medians of 7 rounds with their spread.",
		"Latency from when a message was due to its ack by percentile, 1 KiB payload, 1 worker, 500ns of work per message, 100,000 msg/s offered, protocol fg: medians of 7 rounds with their spread as areas.",
	})
	var rows []string
	for _, row := range page.all("tr") {
		var cells []string
		for _, cell := range row.children {
			cells = append(cells, strings.ReplaceAll(cell.text, "\u00a0", " "))
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	sameList(t, rows, []string{
		"subject|M msg/s|of limit|client CPU ns/msg|allocs/msg",
		"limit|21.0|1.00|26.0|-",
		"naive|0.182|0.00858|5400|2.31",
		"inline-loses!|17.0|-|45.0|-",
		"gnet-loop!|-|-|-|-",
		"feedgate|20.4|0.920|40.0|0.00012",
		"subject|k msg/s|p50 µs|p99 µs",
		"channels|100|104|348",
		"feedgate|100|48.0|156",
		"subject|50%|90%|99%|99.9%",
		"channels|20.0|40.0|80.0|160",
		"feedgate|10.0|20.0|40.0|80.0",
	})
	text := page.content()
	for _, want := range []string{
		"results.json", "AMD EPYC, 2 cores", "Linux 6.18", "bbr", "go1.26.8", "68ed7db", "7 rounds", `"my results.json"`, "asio LEFT OUT", "18.4–26.5",
		"Fastest first: limit ~ feedgate > inline-loses! > naive", "Lowest p99 first: feedgate < channels", "! gnet-loop: warm-up: killed", "Between neighbours: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

// sweep returns a file of two subjects under several loads.
func sweep(t *testing.T, rounds int) *bench.File {
	t.Helper()
	file := &bench.File{Meta: meta}
	for _, size := range []int{16, 64, 256} {
		for workers := 1; workers <= 2; workers++ {
			for i, subject := range []string{"feedgate", "channels"} {
				v := float64(1+i) * 1000 / float64(size)
				l := load{size: size, workers: workers, protocol: "fg"}
				file.Rows = append(file.Rows, withLatencies(result(t, subject, l, rounds,
					value{"msgs_per_s", v * 1e6, v * 9e5, v * 11e5}, value{"cpu_ns_per_msg", v, v, v}), v))
			}
		}
	}
	return file
}

// TestCharts: for several payloads and numbers of workers.
func TestCharts(t *testing.T) {
	got := captions(t, parsePage(t, Source{"sweep", sweep(t, 5)}))
	loads := 6
	if want := loads*3 + 2*2 + 3*2; len(got) != want {
		t.Fatalf("%d charts, not %d", len(got), want)
	}
	const rest = ", protocol fg: medians of 5 rounds with their spread"
	for i := range loads {
		sameList(t, got[3*i+2:3*i+3], []string{
			fmt.Sprintf("Latency from sending to its ack by percentile, %s payload, %s, flat out%s as areas.",
				payload([]int{16, 64, 256}[i/2]), count(i%2+1, "worker"), rest),
		})
	}
	sameList(t, got[3*loads:], []string{
		"Throughput by payload on a logarithmic scale, 1 worker, flat out" + rest + ".",
		"Processor time of the client per message by payload on a logarithmic scale, 1 worker, flat out" + rest + ".",
		"Throughput by payload on a logarithmic scale, 2 workers, flat out" + rest + ".",
		"Processor time of the client per message by payload on a logarithmic scale, 2 workers, flat out" + rest + ".",
		"Throughput by workers, 16 B payload, flat out" + rest + ".",
		"Processor time of the client per message by workers, 16 B payload, flat out" + rest + ".",
		"Throughput by workers, 64 B payload, flat out" + rest + ".",
		"Processor time of the client per message by workers, 64 B payload, flat out" + rest + ".",
		"Throughput by workers, 256 B payload, flat out" + rest + ".",
		"Processor time of the client per message by workers, 256 B payload, flat out" + rest + ".",
	})
	for _, caption := range captions(t, parsePage(t, Source{"sweep", sweep(t, 1)})) {
		if !strings.HasSuffix(caption, ": 1 round, so without a spread.") {
			t.Error(caption)
		}
	}
}

// TestPageOfSeveral: the comparison comes first, then each file.
func TestPageOfSeveral(t *testing.T) {
	page := parsePage(t, Source{"before", full(t)}, Source{"after", full(t)}, Source{"later", full(t)})
	if n := len(captions(t, page)); n != 3*4 {
		t.Errorf("%d charts", n)
	}
	var heads []string
	for _, h := range page.all("h2") {
		heads = append(heads, h.content())
	}
	sameList(t, heads, []string{"Subjects", "Comparison", "#1: before", "#2: after", "#3: later", "How to read it"})
	table := page.all("table")[0]
	var first []string
	for _, cell := range table.all("tr")[2].children {
		first = append(first, cell.content())
	}
	sameList(t, first, []string{"limit", "M msg/s", "21.016.6–27.5", "21.016.6–27.5", "+0.0% ~", "21.016.6–27.5", "+0.0% ~"})
	if text := page.content(); !strings.Contains(text, "Changes are against #1; ~: the spreads overlap.") || !strings.Contains(text, "! #3 gnet-loop: warm-up: killed") {
		t.Error("no key, or no complaint")
	}
}
