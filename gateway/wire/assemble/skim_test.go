package assemble

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/stream"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// TestSkim: of a long object, whatever can identify its request is kept.
func TestSkim(t *testing.T) {
	long := strings.Repeat("x", maxItem+1)
	for _, c := range []struct{ obj, want string }{
		{`{"id":1,"end":true}`, `{"id":1,"end":true}`},
		{"\ufeff \n{ \"id\" : 1 }", "\ufeff{ \"id\" : 1 }"},
		{strings.Repeat(" ", 5000) + `{"id":1}`, `{"id":1}`},
		{`{"data":"` + long + `","id":1}`, `{"data":null,"id":1}`},
		{`{"` + long + `":2,"id":1}`, `{"":2,"id":1}`},
		{`{"data":"` + long + `\"},{\\","id":1}`, `{"data":null,"id":1}`},
		{`{"data":["` + long + `",{"id":2}],"id":{"a":"` + long + `"}}`, `{"data":null,"id":null}`},
		{`{"in":{"id":"no","x":[1,2]},"id":"a\"b,:}"}`, `{"in":{"id":"no","x":[1,2]},"id":"a\"b,:}"}`},
		{`{"a":"` + strings.Repeat(`","a":"`, maxSkimmed) + `"}`, ""},
		{long, long[:maxItem]},
	} {
		for _, size := range []int{1, 3, len(c.obj)} {
			var s skim
			for range 2 { // the second time with what the first has left
				for at := 0; at < len(c.obj); at += size {
					s.add([]byte(c.obj[at:min(at+size, len(c.obj))]))
				}
				if got := string(s.end()); got != c.want {
					t.Errorf("%.60q by %d bytes: %q, want %q", c.obj, size, got, c.want)
				}
			}
		}
	}
}

// TestSkippedParts compares parts that are too long for the inner protocol with the model.
func TestSkippedParts(t *testing.T) {
	for _, frame := range []string{"line", "delim:3b0a"} {
		rapid.Check(t, func(t *rapid.T) {
			cfg := config()
			cfg.MaxMessage = rapid.SampledFrom([]int64{60, 200}).Draw(t, "max message")
			inner, err := stream.New(stream.Config{Frame: frame, MaxMessage: cfg.MaxMessage})
			if err != nil {
				t.Fatal(err)
			}
			want := newModel(cfg)
			want.inner = int(cfg.MaxMessage)
			var text []byte
			for _, msg := range rapid.SliceOfN(longPieces, 1, 12).Draw(t, "messages") {
				want.take(msg)
				text = append(append(text, msg...), map[string]string{"line": "\n", "delim:3b0a": ";\n"}[frame]...)
			}
			plan := wiretest.FromBytes(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "plan"))
			for _, plan := range []wiretest.Plan{wiretest.Whole(len(text)), plan} {
				r := wiretest.Run(t, mustNew(t, inner, cfg).NewConn(), text, plan)
				r.Skipped, r.Longest = 0, 0
				wiretest.Compare(t, r, want.result())
			}
		})
	}
}

// longPieces draws parts, some of them long, with their members in any order.
var longPieces = rapid.Custom(func(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
		return strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "length"))
	}
	members := []string{
		fmt.Sprintf(`"id":%s`, rapid.SampledFrom([]string{`1`, `2`, `"1"`, `"\u0031"`, `"\"},\\"`}).Draw(t, "id")),
		fmt.Sprintf(`"data":"%s"`, strings.Repeat("d", rapid.SampledFrom([]int{0, 3, 20, 100, 300}).Draw(t, "length"))),
	}
	if rapid.Bool().Draw(t, "complete") {
		members = append(members, `"end":true`)
	}
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
})

// TestSkippedPartCodes: a part that belongs to no request is refused alone.
func TestSkippedPartCodes(t *testing.T) {
	inner, err := stream.New(stream.Config{Frame: "line", MaxMessage: 40})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 60)
	text := `{"id":1,"data":"a"}` + "\n" + `{"x":"` + long + `"}` + "\n" + `{"id":"` + strings.Repeat("y", maxItem+1) + `"}` + "\n" +
		`{"id":1,"end":true}` + "\n"
	r := wiretest.Run(t, mustNew(t, inner, config()).NewConn(), []byte(text), wiretest.Whole(len(text)))
	if len(r.Msgs) != 3 || r.Msgs[0].Code != worker.TooLarge || r.Msgs[1].Code != worker.TooLarge || r.Msgs[2].Code != worker.OK ||
		string(r.Msgs[2].Data) != `{"id":1,"end":true,"data":"a"}` {
		t.Errorf("%+v", r.Msgs)
	}
}
