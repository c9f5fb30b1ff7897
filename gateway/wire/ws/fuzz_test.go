package ws

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/wiretest"
)

// hexEscape writes s as a template.
func hexEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\x%02x`, s[i])
	}
	return b.String()
}

// checkReference decodes a stream whole and as planned, and compares both with the reference.
func checkReference(t wiretest.T, stream, plan []byte, limit uint16, ignore string) {
	t.Helper()
	parsed, err := parse(Config{IgnorePrefix: hexEscape(ignore), MaxMessage: 1 + int64(limit)})
	if err != nil {
		t.Fatalf("%v", err)
	}
	most := 1 + int(limit) + maxHead
	longest := 3 + 2*int(limit)
	parsed.longest = uint64(longest)
	p := parsed.codec()
	want := reference(stream, 1+int(limit), longest, ignore)
	whole, wholeErr := run(t, p, stream, wiretest.Whole(len(stream)+256).WithLimit(most))
	if diff := whole.diff(want); diff != "" {
		t.Fatalf("whole: %s (error: %v)", diff, wholeErr)
	}
	split, splitErr := run(t, p, stream, wiretest.FromBytes(plan).WithLimit(most))
	if diff := split.diff(want); diff != "" {
		t.Fatalf("split: %s (error: %v)", diff, splitErr)
	}
	if fmt.Sprint(splitErr) != fmt.Sprint(wholeErr) {
		t.Fatalf("split: error %v, whole: %v", splitErr, wholeErr)
	}
}

func FuzzDecode(f *testing.F) {
	for _, stream := range [][]byte{
		cat(text("hello"), bin("\xff"), ping("p"), textOn("\xe2"), ping(""), more("\x82"), last("\xac"), closing(code(1000))),
		cat(text(ascii(126)), bin(bytesOf(300)), long(0x81, 2, ascii(125))),
		cat(binOn("a"), times(20, more("b")), last("c"), last("d")),
		announced(0x82, 1<<63), announced(0x81, 1<<63-1), masked(0x81, "ab"), frame(0xc1, "a"), frame(0x83, ""),
		cat(textOn("a\xed"), last("\xa0")), cat(closing(code(4999)+"\xe2\x82\xac"), raw(0xff)), text("\xf4\x90")[:4],
	} {
		f.Add(stream, []byte{9, 2, 1, 0x83, 7}, uint16(299), "h")
		f.Add(stream, []byte{}, uint16(0), "")
	}
	f.Fuzz(checkReferenceOf)
}

func checkReferenceOf(t *testing.T, stream, plan []byte, limit uint16, ignore string) {
	checkReference(t, stream, plan, limit, ignore)
}

// FuzzAnswer checks that the result of an answer does not depend on how it arrives, and that only
// one with the expected Sec-WebSocket-Accept is good.
func FuzzAnswer(f *testing.F) {
	for _, c := range answerCases {
		if len(c.answer) < 1000 {
			f.Add(c.answer, []byte{60, 2, 3, 0x81, 9})
		}
	}
	f.Fuzz(func(t *testing.T, answer string, plan []byte) {
		p := mustNew(t, Config{})
		fault := func(plan wiretest.Plan) string {
			d := wiretest.New(t, p.NewConn(), requestTo("a:1"), plan.WithLimit(testLimit+maxHead))
			accept := acceptFor(requestHeader(t, d.Hello).Get("Sec-WebSocket-Key"))
			err := d.Feed([]byte(strings.ReplaceAll(answer, "ACCEPT", accept)))
			if len(d.Events) > 0 && !strings.Contains(answer, "ACCEPT") {
				t.Fatalf("it takes %q", answer)
			}
			return fmt.Sprint(len(d.Events), len(d.Msgs), err)
		}
		if split, whole := fault(wiretest.FromBytes(plan)), fault(wiretest.Whole(len(answer)+64)); split != whole {
			t.Fatalf("split: %s, whole: %s", split, whole)
		}
	})
}

// TestReferenceProperty draws streams of frames, most of them valid.
func TestReferenceProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{"", "a", "\u00e9", "\xe2\x82", "\xac", "\xe2", "\xf0\x9f\x98\x80", "\xff", "#bc", ascii(130)})
	first := rapid.SampledFrom([]byte{
		0x81, 0x81, 0x81, 0x82, 0x82, 0x01, 0x01, 0x02, 0x80, 0x80, 0x00, 0x00, 0x89, 0x89, 0x8a, 0x88, 0x83, 0xc1, 0x09,
	})
	frames := rapid.Custom(func(t *rapid.T) []byte {
		b := frame(first.Draw(t, "first"), strings.Join(rapid.SliceOfN(piece, 0, 3).Draw(t, "payload"), ""))
		if b[0] == 0x88 {
			b = closing(code(rapid.SampledFrom([]int{0, 1000, 1001, 1005, 1011, 4000}).Draw(t, "code")))
		}
		if rapid.IntRange(0, 30).Draw(t, "cut") == 0 {
			b = b[:len(b)/2]
		}
		return b
	})
	rapid.Check(t, func(t *rapid.T) {
		checkReference(t, cat(rapid.SliceOf(frames).Draw(t, "frames")...), rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "plan"),
			rapid.SampledFrom([]uint16{0, 1, 5, 200, 2000}).Draw(t, "limit"), rapid.SampledFrom([]string{"", "#", "a"}).Draw(t, "ignore"))
	})
}

// TestAnySplitIsTheSame sends messages, fragmented anywhere and with pings between, and expects
// them back however they arrive.
func TestAnySplitIsTheSame(t *testing.T) {
	p := mustNew(t, Config{})
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		want := gets()
		pinging := func() {
			for range rapid.IntRange(0, 1).Draw(t, "ping") {
				body := rapid.StringN(0, 20, maxControl).Draw(t, "body")
				stream = append(stream, ping(body)...)
				want.pongs = append(want.pongs, body)
			}
		}
		for range rapid.IntRange(0, 12).Draw(t, "messages") {
			pinging()
			m := message{text: rapid.Bool().Draw(t, "text")}
			op := byte(opBinary)
			if m.text {
				op = byte(opText)
				m.data = rapid.StringN(0, 200, -1).Draw(t, "data")
			} else {
				m.data = string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data"))
			}
			want.msgs = append(want.msgs, m)
			rest := m.data
			for range rapid.IntRange(0, 3).Draw(t, "cuts") {
				cut := rapid.IntRange(0, len(rest)).Draw(t, "cut")
				stream = append(stream, frame(op, rest[:cut])...)
				op, rest = byte(opContinuation), rest[cut:]
				pinging()
			}
			stream = append(stream, frame(finBit|op, rest)...)
		}
		plan := wiretest.FromBytes(rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "plan")).WithLimit(testLimit + maxHead)
		got, err := run(t, p, stream, plan)
		if diff := got.diff(want); diff != "" {
			t.Fatalf("%s (error: %v)", diff, err)
		}
	})
}
