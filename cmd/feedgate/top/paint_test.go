package top

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"feedgate/gateway/admin/view"
)

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// paint returns all lines of a view, two seconds after an earlier one.
func paint(doc map[string]any, width int, colour bool) []string {
	before := view.FromStats(map[string]any{"upstreams": map[string]any{}}, time.Unix(1000, 0))
	p := newPainting(view.New(before, view.FromStats(doc, time.Unix(1002, 0))), width, colour)
	lines := append(p.stale(errors.New("connect: connection refused"), 5*time.Second), p.head("127.0.0.1:4190")...)
	body := p.body()
	return append(append(lines, body...), p.foot(0, 10, len(body)))
}

// flat makes a document from Go values what encoding/json would make of it.
func flat(doc map[string]any) map[string]any {
	for key, value := range doc {
		switch v := value.(type) {
		case int:
			doc[key] = float64(v)
		case map[string]any:
			flat(v)
		}
	}
	return doc
}

func TestLinesFit(t *testing.T) {
	for _, width := range []int{20, 40, 60, 72, 80, 100, 120, 200} {
		for _, upstreams := range []int{0, 1, 2, 30} {
			doc := flat(stats(upstreams, 64))
			doc["upstreams"].(map[string]any)["tcp://交易所数据源:7000/🚀🚀🚀"] = map[string]any{"stalled": strings.Repeat("消息等待", 30)}
			for _, line := range paint(doc, width, true) {
				if n := runewidth.StringWidth(sgr.ReplaceAllString(line, "")); n > width {
					t.Errorf("%d columns in %d: %q", n, width, line)
				}
			}
		}
	}
}

// TestNarrowShowsTheSame: 40 columns lack nothing that is in 120.
func TestNarrowShowsTheSame(t *testing.T) {
	for _, width := range []int{40, 120} {
		text := strings.Join(paint(flat(stats(1, 4)), width, false), "\n")
		for _, want := range []string{
			"NO ANSWER", "READY", "feed000.example", "workers", "3.50 s", "errors", "bad_json", "rings", "memory", "handler", "exec:./handle",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in %d columns:\n%s", want, width, text)
			}
		}
	}
}

func TestColours(t *testing.T) {
	coloured := strings.Join(paint(flat(stats(1, 4)), 100, true), "\n")
	if !strings.Contains(coloured, "\x1b[33m▲") || !strings.Contains(coloured, "\x1b[32mREADY") {
		t.Errorf("no colours in %q", coloured)
	}
	for _, code := range sgr.FindAllString(strings.Join(paint(flat(stats(1, 4)), 100, false), "\n"), -1) {
		if strings.Contains(code, "3") {
			t.Errorf("the colour %q", code)
		}
	}
}

func TestControlCharactersDoNotReachTheTerminal(t *testing.T) {
	evil := "fg://a\x1b]0;x\x07\r\n\u009b2J\u202e:1"
	doc := flat(stats(1, 1))
	all := doc["upstreams"].(map[string]any)
	of := all["fg://feed000.example:7000"].(map[string]any)
	of["waiting_for"], of["stalled"] = "the workers: "+evil, evil
	of["feedgate_protocol_errors_total"], of["feedgate_acks_total"] = map[string]any{evil: 1.0}, map[string]any{evil: 1.0}
	all[evil] = of
	doc["not_ready"], doc["sink"] = []string{evil}, map[string]any{"label": evil}
	doc["process"] = map[string]any{"feedgate_build_info": map[string]any{evil: 1.0}}
	for _, width := range []int{0, 40, 120} {
		text := sgr.ReplaceAllString(strings.Join(paint(doc, width, true), ""), "")
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u202e' }); i >= 0 {
			t.Errorf("a control character: %q", text[max(i-20, 0):i+10])
		}
	}
}

func TestRingsAsBars(t *testing.T) {
	p := newPainting(&view.View{}, 0, false)
	u := &view.Upstream{RingLimit: 8, Rings: []view.Ring{{Worker: 0}, {Worker: 1, In: 0.5}, {Worker: 2, In: 4}, {Worker: 3, In: 8, Out: 3}}}
	if got, want := p.rings(u), "rings of 8, in ·▁▅█ 0 1 4 8, out ···▄ 0 0 0 3"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, n := range []float64{1e300, math.Inf(1), math.NaN(), -1e300} {
		if got := bar(n, 8); got != '█' && got != '·' {
			t.Errorf("%v is %q", n, got)
		}
	}
}
