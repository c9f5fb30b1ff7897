package report

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// TestPolicy: it allows the page's own style, and nothing else.
func TestPolicy(t *testing.T) {
	page := parsePage(t, Source{"a", full(t)})
	style := page.all("style")
	if len(style) != 1 {
		t.Fatalf("%d styles", len(style))
	}
	hash := sha256.Sum256([]byte(style[0].text))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
	for _, meta := range page.all("meta") {
		if meta.attr["http-equiv"] == "Content-Security-Policy" {
			if got := meta.attr["content"]; got != want {
				t.Errorf("policy %s, not %s", got, want)
			}
			return
		}
	}
	t.Error("no policy")
}

// TestAccess: what readers with a keyboard or a screen reader need.
func TestAccess(t *testing.T) {
	for _, sources := range [][]Source{{{"a", full(t)}}, {{"a", full(t)}, {"b", sweep(t, 5)}}} {
		page := parsePage(t, sources...)
		ids := make(map[string]int)
		level := 0
		page.walk(func(e *element) {
			if id := e.attr["id"]; id != "" {
				ids[id]++
			}
			switch e.name {
			case "th":
				if e.attr["scope"] == "" || e.content() == "" {
					t.Errorf("a head without a scope or a text: %+v", e.attr)
				}
			case "table":
				if c := e.all("caption"); len(c) != 1 || c[0].content() == "" || len(e.all("thead")) != 1 {
					t.Error("a table without a caption or heads")
				}
			case "h1", "h2", "h3":
				next := int(e.name[1] - '0')
				if next > level+1 {
					t.Errorf("%s %q below h%d", e.name, e.content(), level)
				}
				level = next
			}
			if e.attr["class"] == "wide" && (e.attr["tabindex"] != "0" || e.attr["role"] != "region" || e.attr["aria-label"] == "") {
				t.Errorf("a part that scrolls cannot be reached: %+v", e.attr)
			}
		})
		links := page.all("a")
		if len(links) < 3 {
			t.Errorf("%d links", len(links))
		}
		for _, link := range links {
			if n := ids[strings.TrimPrefix(link.attr["href"], "#")]; n != 1 {
				t.Errorf("%s leads to %d places", link.attr["href"], n)
			}
		}
		if len(page.all("main")) != 1 || len(page.all("h1")) != 1 {
			t.Error("not one main part with one title")
		}
	}
}

// TestTextAlternatives: a chart has its values in words; a table follows those of several loads.
func TestTextAlternatives(t *testing.T) {
	page := parsePage(t, Source{"a", full(t)}, Source{"b", sweep(t, 5)})
	var names []string
	for _, svg := range page.all("svg") {
		if svg.attr["role"] != "img" {
			t.Error("a chart that is no image")
		}
		names = append(names, svg.attr["aria-label"])
	}
	all := strings.Join(names, "\n")
	for _, want := range []string{
		"with their spread. M msg/s: limit 21.0 (16.6–27.5), naive 0.182 (0.170–0.190), inline-loses! 17.0 (16.0–18.0), gnet-loop! -, feedgate 20.4 (18.4–26.5).",
		"as areas. ack latency, µs: channels 10.0 at 1% to 160 at 99.9%, feedgate 5.00 at 1% to 80.0 at 99.9%.",
		"M msg/s: feedgate 62.5 at 16 B to 3.91 at 256 B, channels 125 at 16 B to 7.81 at 256 B.",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q", want)
		}
	}
	tables := 0
	for _, figure := range page.all("figure") {
		lines := strings.Contains(figure.all("figcaption")[0].content(), " by subject")
		if n := len(figure.all("table")); n != map[bool]int{true: 0, false: 1}[lines] {
			t.Errorf("%d tables in the figure %s", n, figure.content())
		}
		tables += len(figure.all("table"))
	}
	if tables < 5 {
		t.Errorf("%d tables of charts", tables)
	}
}

// TestAxesAgreeWithTables: charts of a load have the units of its table.
func TestAxesAgreeWithTables(t *testing.T) {
	for _, name := range []string{"main", "sizes", "workers", "rate", "nsq", "websocket"} {
		source, err := Load("../../docs/benchmarks/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range newStudio().file(&source, "a").Loads {
			heads := strings.ReplaceAll(strings.Join(l.Heads, "|"), "\u00a0", " ") + "|"
			for _, c := range l.Charts {
				title, _, _ := strings.Cut(strings.TrimPrefix(c.name, c.Caption+" "), ":")
				if unit, latency := strings.CutPrefix(title, "ack latency, "); latency {
					title = "p99 " + unit
				}
				if !strings.Contains(heads, title+"|") {
					t.Errorf("%s, %s: the axis is %q, the table has %s", name, l.Title, title, heads)
				}
			}
		}
	}
}
