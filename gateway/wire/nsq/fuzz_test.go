package nsq

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/wiretest"
)

// checkReference decodes a stream after the login, whole and as planned, and compares both with
// the reference.
func checkReference(t wiretest.T, behind, plan []byte, limit int) {
	t.Helper()
	cfg := testConfig()
	cfg.MaxMessage = int64(limit)
	p := mustNew(t, cfg)
	most := max(testWait, messageHead+limit)
	stream := in(behind)
	want := reference(behind, limit)
	whole, wholeErr := run(t, p, stream, wiretest.Whole(len(stream)).WithLimit(most))
	if !whole.equal(want) {
		t.Fatalf("whole:\ngot  %v\nwant %v\nerror: %v", whole, want, wholeErr)
	}
	split, splitErr := run(t, p, stream, wiretest.FromBytes(plan).WithLimit(most))
	if !split.equal(want) || fmt.Sprint(splitErr) != fmt.Sprint(wholeErr) {
		t.Fatalf("split:\ngot  %v\nwant %v\nerror: %v", split, want, splitErr)
	}
}

func FuzzDecode(f *testing.F) {
	for _, cases := range [][]streamCase{messageCases, replyCases, frameCases, complaintCases} {
		for _, c := range cases {
			if behind := c.in[min(len(c.in), len(answers())):]; len(behind) < 4<<10 {
				f.Add(behind, []byte{9, 2, 1, 0x83, 7}, uint16(testLimit-1))
				f.Add(behind, []byte{}, uint16(0))
			}
		}
	}
	f.Fuzz(func(t *testing.T, behind, plan []byte, limit uint16) {
		checkReference(t, behind, plan, 1+int(limit))
	})
}

// FuzzLogin checks that the result of a login does not depend on how it arrives.
func FuzzLogin(f *testing.F) {
	for _, c := range loginCases {
		f.Add(c.in, []byte{60, 2, 3, 0x81, 9})
	}
	f.Fuzz(func(t *testing.T, stream, plan []byte) {
		p := mustNew(t, testConfig())
		whole, wholeErr := run(t, p, stream, wiretest.Whole(len(stream)))
		split, splitErr := run(t, p, stream, wiretest.FromBytes(plan).WithLimit(testWait))
		if !split.equal(whole) || fmt.Sprint(splitErr) != fmt.Sprint(wholeErr) {
			t.Fatalf("split: %v %v\nwhole: %v %v", split, splitErr, whole, wholeErr)
		}
	})
}

// TestReferenceProperty draws streams of frames, most of them valid.
func TestReferenceProperty(t *testing.T) {
	text := rapid.SampledFrom([]string{
		"_heartbeat_", "_heartbeat_", "_heartbeat_", "CLOSE_WAIT", "OK", "", "E_FIN_FAILED x", "E_REQ_FAILED", "E_TOUCH_FAILED ",
		"E_INVALID x", "E_SUB_FAILED", "e_fin_failed", "E_FIN_FAILED\nx",
	})
	frames := rapid.Custom(func(t *rapid.T) []byte {
		var b []byte
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0:
			b = response(text.Draw(t, "response"))
		case 1:
			b = errorFrame(rapid.SampledFrom([]string{"E_FIN_FAILED x", "E_REQ_FAILED x", "E_TOUCH_FAILED", text.Draw(t, "error")}).Draw(t, "error"))
		case 2:
			b = response("_heartbeat_")
		default:
			b = message(7, 1, bodyOf(rapid.SampledFrom([]int{0, 1, 2, 5, 6, 64, 65, 2000}).Draw(t, "size")))
		}
		switch rapid.IntRange(0, 60).Draw(t, "damage") {
		case 0:
			b = b[:len(b)/2]
		case 1:
			b[rapid.IntRange(0, 7).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		return b
	})
	rapid.Check(t, func(t *rapid.T) {
		checkReference(t, cat(rapid.SliceOf(frames).Draw(t, "frames")...), rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "plan"),
			rapid.SampledFrom([]int{1, 5, 64, 1999}).Draw(t, "limit"))
	})
}
