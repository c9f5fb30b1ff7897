package wiretest

import (
	"bytes"

	"feedgate/gateway/wire"
)

// Compare fails t unless two results are equal. Errors are compared by their text.
func Compare(t T, got, want Result) {
	t.Helper()
	for i := range min(len(got.Msgs), len(want.Msgs)) {
		g, w := got.Msgs[i], want.Msgs[i]
		if g.Seq != w.Seq || g.Tag != w.Tag || g.Code != w.Code || !bytes.Equal(g.Data, w.Data) {
			t.Fatalf("message %d is %+v, want %+v", i, g, w)
		}
	}
	for i := range min(len(got.Events), len(want.Events)) {
		g, w := got.Events[i], want.Events[i]
		faults := g.Fault == w.Fault || g.Fault != nil && w.Fault != nil && *g.Fault == *w.Fault
		g.Fault, w.Fault = nil, nil
		if !faults || g != w {
			t.Fatalf("event %d is %+v, want %+v", i, got.Events[i], want.Events[i])
		}
	}
	switch {
	case errText(got.Err) != errText(want.Err):
		t.Fatalf("error %q, want %q", errText(got.Err), errText(want.Err))
	case len(got.Msgs) != len(want.Msgs):
		t.Fatalf("%d messages, want %d", len(got.Msgs), len(want.Msgs))
	case len(got.Events) != len(want.Events):
		t.Fatalf("%d events, want %d", len(got.Events), len(want.Events))
	case got.Skipped != want.Skipped || got.Longest != want.Longest:
		t.Fatalf("%d skipped, the longest of %d bytes, want %d and %d", got.Skipped, got.Longest, want.Skipped, want.Longest)
	case !bytes.Equal(got.Hello, want.Hello):
		t.Fatalf("hello %q, want %q", got.Hello, want.Hello)
	case !bytes.Equal(got.Out, want.Out):
		t.Fatalf("replies %q, want %q", got.Out, want.Out)
	case got.Err == nil && got.Rest != want.Rest:
		t.Fatalf("%d bytes left over, want %d", got.Rest, want.Rest)
	}
}

func errText(err *wire.Error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
