package assemble

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// chunk is a part as a server would write it.
type chunk struct {
	ID   int    `json:"id"`
	Data string `json:"data"`
	End  bool   `json:"end,omitempty"`
	Part int    `json:"part"`
}

func (c chunk) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// checkWhole checks that the messages are each request once: the joined data of its parts, with
// the number and the other members of the last one.
func checkWhole(t wiretest.T, sent []chunk, got []wiretest.Message) {
	t.Helper()
	joined := map[int]string{}
	next := 0
	for i, c := range sent {
		joined[c.ID] += c.Data
		if !c.End {
			continue
		}
		if next == len(got) {
			t.Fatalf("request %d is missing", c.ID)
		}
		m := got[next]
		next++
		want := c
		want.Data = joined[c.ID]
		var whole chunk
		if err := json.Unmarshal(m.Data, &whole); err != nil {
			t.Fatalf("message %d: %v", m.Seq, err)
		}
		if whole != want || m.Seq != uint64(i+1) || m.Code != worker.OK {
			t.Fatalf("message %d with code %d is %+v, want %d: %+v", m.Seq, m.Code, whole, i+1, want)
		}
		delete(joined, c.ID)
	}
	if next != len(got) {
		t.Fatalf("%d messages more", len(got)-next)
	}
}

func TestThousandRequests(t *testing.T) {
	const requests, parts, width = 1000, 10, 50
	var sent []chunk
	for first := 0; first < requests; first += width {
		for part := range parts {
			for id := first; id < first+width; id++ {
				data := fmt.Sprintf("<%d.%d \"é\n\U0001f600\\>", id, part)
				sent = append(sent, chunk{ID: id, Part: part, Data: data, End: part == parts-1})
			}
		}
	}
	var text strings.Builder
	for _, c := range sent {
		fmt.Fprintln(&text, c)
	}
	for name, plan := range map[string]wiretest.Plan{
		"whole": {Buffer: text.Len(), Msgs: 1024},
		"reads": {Buffer: 8 << 10, Msgs: 16, Steps: []int{1000, -333, 4096, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := wiretest.Run(t, mustNew(t, lines(t, ""), config()).NewConn(), []byte(text.String()), plan)
			checkWhole(t, sent, r.Msgs)
		})
	}
}

func TestAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := rapid.SliceOfN(rapid.IntRange(1, 6), 1, 12).Draw(t, "parts")
		again := rapid.IntRange(0, 10).Draw(t, "again") // requests that use an ID once more
		total := again
		for _, n := range left {
			total += n
		}
		var sent []chunk
		for range total {
			id := rapid.IntRange(0, len(left)-1).Draw(t, "id")
			for left[id] == 0 && again == 0 {
				id = (id + 1) % len(left)
			}
			if left[id] == 0 {
				left[id], again = 1, again-1
			}
			left[id]--
			sent = append(sent, chunk{
				ID: id, Part: len(sent), End: left[id] == 0,
				Data: rapid.OneOf(rapid.String(), rapid.StringMatching(`[\x00-\x1f"\\<>&é€😀]*`)).Draw(t, "data"),
			})
		}
		var text strings.Builder
		for _, c := range sent {
			fmt.Fprintln(&text, c)
		}
		plan := wiretest.FromBytes(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "plan"))
		r := wiretest.Run(t, mustNew(t, lines(t, ""), config()).NewConn(), []byte(text.String()), plan)
		checkWhole(t, sent, r.Msgs)
	})
}

// pieces are what messages are made of, for rapid: mostly parts of a few requests,
// with every way to be none.
var pieces = rapid.OneOf(
	rapid.SampledFrom([]string{
		`{"id":1,"data":"a"}`, `{"id":1,"data":"\ud83d"}`, `{"id":1,"data":"\ude00\n","end":true}`,
		`{"id":"1","data":"bb"}`, `{"\u0069d":"\u0031","end":true}`, `{"id":"1","data":"ccc","end":true,"x":{"id":2}}`,
		`{"id":2}`, ` { "data" : "ddddddddddddddddddddd" , "id" : 2 } `, `{"id":2,"end":true}`, `{"id":2,"end":true,"data":""}`,
		`{"id":3,"data":"éééééééé","end":false}`, `{"id":3,"data":"","data":"e","end":true}`, `{"id":3,"end":1}`, `{"id":3,"data":{}}`,
		`{"id":true,"data":"f"}`, `{"id":true,"end":true}`, `{"id":null}`, `{"id":[]}`, `{}`, `{"id":1,"data":"g`, ``,
		`{"id":"` + strings.Repeat("long", 20) + `","data":"h"}`, `{"id":"` + strings.Repeat("long", 20) + `","end":true}`,
	}),
	rapid.Custom(func(t *rapid.T) string {
		return chunk{
			ID: rapid.IntRange(1, 5).Draw(t, "id"), End: rapid.Bool().Draw(t, "end"),
			Data: rapid.StringN(0, 30, -1).Draw(t, "data"),
		}.String()
	}),
)

// TestIsTheModel compares with the model, with limits so low that they are reached all the time.
func TestIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := config()
		cfg.MaxMessage = rapid.Int64Range(10, 200).Draw(t, "max message")
		cfg.Memory = rapid.Int64Range(1, 400).Draw(t, "memory")
		msgs := rapid.SliceOfN(pieces, 1, 40).Draw(t, "messages")
		want := newModel(cfg)
		for _, m := range msgs {
			want.take(m)
		}
		plan := wiretest.FromBytes(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "plan"))
		wiretest.Compare(t, run(t, cfg, plan, msgs...), want.result())
	})
}
