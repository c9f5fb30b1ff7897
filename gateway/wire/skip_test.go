package wire

import (
	"strings"
	"testing"

	"feedgate/worker"
)

// TestSkipper: a message in two pieces, each with bytes around it, in every size of
// buffer.
func TestSkipper(t *testing.T) {
	const joined, stream = "joined", "<<first>--<second>>>rest"
	for size := 1; size <= len(stream); size++ {
		var skimmed strings.Builder
		ends := 0
		in := Input{Start: 1, Keep: 1 + len(joined), Scan: 2 + len(joined), Msgs: make([]Msg, 0, 1), Need: 99}
		in.Skim = func(b []byte) {
			if b == nil {
				ends++
			}
			skimmed.Write(b)
		}
		var s Skipper
		s.Begin([]byte("."+joined+"."), &in)
		if in.Start != in.Scan || in.Keep != in.Scan || !s.Active() || s.InPiece() || s.Size != uint64(len(joined)) {
			t.Fatalf("begun: %+v, %+v", in, s)
		}
		at := 0
		pass := func() {
			for done := false; !done; {
				in.Start, in.Keep, in.Scan = 0, 0, 0
				done = s.Pass([]byte(stream[at:min(at+size, len(stream))]), &in)
				at += in.Scan
				if in.Need != 0 {
					t.Fatal("it needs bytes")
				}
			}
		}
		s.Add(1, uint64(len("<first>")), 2)
		pass()
		s.Add(0, uint64(len("<second>")), 2)
		pass()
		s.End(&in, Msg{Seq: 7, Tag: 1})
		if stream[at:] != "rest" || skimmed.String() != joined+"<first><second>" || ends != 1 {
			t.Errorf("buffers of %d: left %q, skimmed %q, %d ends", size, stream[at:], skimmed.String(), ends)
		}
		if in.Msgs[0] != (Msg{Seq: 7, Tag: 1, Code: worker.TooLarge}) || in.Skipped != 1 || in.Longest != 21 || s != (Skipper{}) {
			t.Errorf("buffers of %d: %+v, %+v", size, in, s)
		}
	}
}

func TestSkipLimit(t *testing.T) {
	for n, want := range map[int64]uint64{0: 64 << 20, 1: 64 << 20, 4 << 20: 64 << 20, 5 << 20: 80 << 20, 1 << 30: 16 << 30} {
		if got := SkipLimit(n); got != want {
			t.Errorf("--max-message %d: %d, want %d", n, got, want)
		}
	}
}

// TestCheck: a bug of a decoder is a fault that ends its connection, not a panic.
func TestCheck(t *testing.T) {
	buf := make([]byte, 10)
	msg := func(off, n uint32) []Msg { return []Msg{{Off: off, Len: n}} }
	for name, in := range map[string]Input{
		"Start before 0":         {Start: -1, Keep: 1, Scan: 1},
		"Start behind Keep":      {Start: 2, Keep: 1, Scan: 3},
		"Keep behind Scan":       {Start: 1, Keep: 3, Scan: 2},
		"Scan behind the buffer": {Scan: 11},
		"a message beyond Start": {Start: 4, Keep: 4, Scan: 10, Msgs: msg(3, 2)},
		"a message past 4 GiB":   {Start: 4, Keep: 4, Scan: 10, Msgs: msg(1<<32-1, 2)},
	} {
		if err := in.Check(buf); err == nil || err.Reason != Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := Input{Start: 4, Keep: 5, Scan: 10, Msgs: msg(2, 2)}
	if err := good.Check(buf); err != nil {
		t.Error(err)
	}
}
