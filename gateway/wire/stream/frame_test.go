package stream

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

func mustNew(t interface{ Fatal(...any) }, cfg Config) *wire.Codec {
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 1 << 20
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFrames(t *testing.T) {
	const varintMax = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
	for _, c := range []struct {
		frame  string
		max    int64
		stream string
		want   string // messages, ! for one over max, then the error's reason or the bytes left
	}{
		{"line", 3, "", "0"},
		{"line", 3, "a\nbc\r\n\n\r\nd", `"a" "bc" "" "" 1`},
		{"line", 3, "\r\r\n\ra\n", `"\r" "\ra" 0`},
		{"line", 3, "abc\nabc\r\nabc\r", `"abc" "abc" 4`},
		{"line", 3, "abc\nabcd\na\n", `"abc" ! "a" 0`},
		{"line", 3, "abc\nabcd", `"abc" 0`},
		{"line", 3, "abc\r\r\n", `! 0`},
		{"line", 3, "abc\rd", `0`},
		{"line", 3, "abcde\r\na\n", `! "a" 0`},
		{"line", 3, "abcde\r", `1`},
		{"line:skip-empty", 3, "\n\r\na\n\n\r\r\nb\r\n\r", `"a" "\r" "b" 1`},

		{"delim:00", 3, "a\x00\x00bc\x00d", `"a" "" "bc" 1`},
		{"delim:0D0a", 3, "a\r\nb\rc\r\n\nd\r", `"a" "b\rc" 3`},
		{"delim:0d0a", 3, "abc\r\nabc\r", `"abc" 4`},
		{"delim:0d0a", 3, "abcd\r\na\r\n", `! "a" 0`},
		{"delim:0d0a", 3, "abcde", `1`},
		{"delim:0d0a", 3, "abcde\r", `1`},
		{"delim:616161", 3, "bbbbbaabaaaac", `! 2`},
		{"delim:616161", 9, "aaaaaaa", `"" "" 1`},
		{"delim:6161616161616162", 9, "aaaaaaaaab", `"aa" 0`},

		{"length", 3, "\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x01", `"abc" "" 4`},
		{"length:", 3, "\x00\x00\x00\x04abcd\x00\x00\x00\x01x", `! "x" 0`},
		{"length:size=1", 3, "\x02ab\x00\x03", `"ab" "" 1`},
		{"length:size=2,order=little", 3, "\x02\x00ab\x01", `"ab" 1`},
		{"length:size=3", 3, "\x00\x00\x02ab\x00\x00", `"ab" 2`},
		{"length:size=3,order=little", 300, "\x02\x00\x00ab\x00\x00\x01", `"ab" 0`},
		{"length:size=8", 3, "\x00\x00\x00\x00\x00\x00\x00\x02ab", `"ab" 0`},
		{"length:size=8,order=little", 3, "\x02\x00\x00\x00\x00\x00\x00\x00ab", `"ab" 0`},
		{"length:size=4,adjust=-4", 3, "\x00\x00\x00\x06ab\x00\x00\x00\x03", `"ab" bad_length message 2 at byte 6: length field 3 makes a frame of 3 bytes, the least is 4`},
		{"length:size=2,adjust=-4", 3, "\x00\x01", `bad_length message 1 at byte 0: length field 1 makes a frame of -1 bytes`},
		{"length:offset=2,size=1,adjust=1,strip=0", 9, "TT\x02abcTT\x00d", `"TT\x02abc" "TT\x00d" 0`},
		{"length:offset=1,size=2,strip=1,order=big", 9, "T\x00\x01a", `"\x00\x01a" 0`},
		{"length:size=1,strip=3", 9, "\x02ab\x01a", `"" bad_length message 2 at byte 3: length field 1 makes a frame of 2 bytes, the least is 3`},
		{"length:size=8", 3, "\xff\xff\xff\xff\xff\xff\xff\xff", `bad_length message 1 at byte 0: length field 18446744073709551615 makes a frame length of more than 64 bits`},
		{"length:size=8,adjust=100", 200, "\xff\xff\xff\xff\xff\xff\xff\xff", `bad_length message 1 at byte 0: length field 18446744073709551615 makes a frame length of more than 64 bits`},
		{"length:size=8,adjust=-8", 3, "\xff\xff\xff\xff\xff\xff\xff\xff", `too_large message 1 at byte 0: it is longer than 67108864 bytes, the limit up to which messages over --max-message are skipped`},
		{"length:size=8", 3, "\x7f\xff\xff\xff\xff\xff\xff\xff", `too_large message 1 at byte 0: it is longer than 67108864 bytes, the limit up to which messages over --max-message are skipped`},

		{"varint", 300, "\x00\x02ab\x82\x00ab\x80", `"" "ab" "ab" 1`},
		{"varint", 300, "\xac\x02" + strings.Repeat("x", 300) + "\xad\x02" + strings.Repeat("y", 301) + "\x01z",
			fmt.Sprintf(`%q ! "z" 0`, strings.Repeat("x", 300))},
		{"varint", 300, varintMax, `too_large message 1 at byte 0: it is longer than 67108864 bytes, the limit up to which messages over --max-message are skipped`},
		{"varint", 300, varintMax[:9] + "\x02", `bad_length message 1 at byte 0: its length varint has more than 64 bits`},
		{"varint", 300, varintMax[:9] + "\x81", `bad_length message 1 at byte 0: its length varint has more than 64 bits`},
		{"varint", 300, varintMax[:9], `9`},
	} {
		for name, plan := range map[string]wiretest.Plan{"whole": wiretest.Whole(len(c.stream)), "bytes": wiretest.ByteByByte()} {
			p := mustNew(t, Config{Frame: c.frame, MaxMessage: c.max})
			r := wiretest.Run(t, p.NewConn(), []byte(c.stream), plan)
			got := ""
			for _, m := range r.Msgs {
				if m.Code == worker.TooLarge {
					got += "! "
					continue
				}
				got += fmt.Sprintf("%q ", m.Data)
			}
			if fault := r.Err; fault != nil {
				got += fault.Reason + " " + fault.Detail
				if (fault.Code == wire.CloseTooLarge) != (fault.Reason == wire.TooLarge) {
					t.Errorf("%s: code %d for %s", c.frame, fault.Code, fault.Reason)
				}
			} else {
				got += fmt.Sprint(r.Rest)
			}
			if got != c.want {
				t.Errorf("%s, %s, %.40q:\ngot  %s\nwant %s", c.frame, name, c.stream, got, c.want)
			}
		}
	}
}

func TestIgnorePrefix(t *testing.T) {
	p := mustNew(t, Config{Frame: "line", IgnorePrefix: `\x50ING`})
	r := wiretest.Run(t, p.NewConn(), []byte("a\nPING\nPING 1\nPIN\nb\n"), wiretest.ByteByByte())
	got := ""
	for _, m := range r.Msgs {
		got += fmt.Sprintf("%d=%s ", m.Seq, m.Data)
	}
	if got != "1=a 2=PIN 3=b " || r.Rest != 0 {
		t.Errorf("got %s and %d bytes left", got, r.Rest)
	}
}

// TestNeed: Need is the size of a frame as soon as it is known.
func TestNeed(t *testing.T) {
	for _, c := range []struct {
		frame, stream string
		want          int
	}{
		{"line", "abc", 0},
		{"delim:0000", "abc", 0},
		{"length:offset=2,size=2,strip=0", "ab", 4},
		{"length:offset=2,size=2,strip=0", "ab\x00\x07x", 11},
		{"length", "\x00\x00\x00\x01x\x00\x00\x01\x00", 260},
		{"varint", "\x80", 0},
		{"varint", "\x80\x02x", 258},
	} {
		conn := mustNew(t, Config{Frame: c.frame}).NewConn()
		in := wire.Input{Msgs: make([]wire.Msg, 0, 8)}
		for _, buf := range []string{"", c.stream} {
			if err := conn.Decode([]byte(buf), &in); err != nil {
				t.Fatal(err)
			}
		}
		if in.Need != c.want {
			t.Errorf("%s with %q: Need is %d, want %d", c.frame, c.stream, in.Need, c.want)
		}
	}
}

// TestLongMessageIsScannedOnce feeds messages of 1 MiB in small pieces and checks, after each
// piece, that the framer remembers how far it has searched.
func TestLongMessageIsScannedOnce(t *testing.T) {
	const size = 1 << 20
	message := bytes.Repeat([]byte("\r"), size)
	for _, frame := range []string{"line", "delim:0a", "delim:0d0d0d0d0d0d0d0a"} {
		c := mustNew(t, Config{Frame: frame}).NewConn().(*conn)
		d := wiretest.New(t, c, wire.Hello{}, wiretest.Plan{Buffer: 64 << 10, Msgs: 4, Steps: []int{1, 7, 64}})
		for i := 0; i < size; i += 64 {
			if err := d.Feed(message[i : i+64]); err != nil {
				t.Fatal(err)
			}
			seen, slack := 0, 0
			switch f := c.framer.(type) {
			case *lines:
				seen = f.seen
			case *delimited:
				seen, slack = f.seen, len(f.delim)-1
			}
			if seen < i+64-slack {
				t.Fatalf("%s: %d bytes are there, the first %d are remembered", frame, i+64, seen)
			}
		}
		// Seven bytes too many, but for the delimiter that they begin.
		err := d.Feed([]byte("\r\r\r\r\r\r\r\n"))
		want := worker.TooLarge
		if len(frame) > len("delim:0a") {
			want = worker.OK
		}
		if err != nil || len(d.Msgs) != 1 || d.Msgs[0].Code != want {
			t.Errorf("%s: error %v and %d messages, want one with code %d", frame, err, len(d.Msgs), want)
		}
	}
}

// TestFullForgetsNothing: called without space for a message, a framer still remembers how far
// it has searched.
func TestFullForgetsNothing(t *testing.T) {
	for _, frame := range []string{"line", "delim:0d0a"} {
		c := mustNew(t, Config{Frame: frame}).NewConn().(*conn)
		in := wire.Input{Msgs: make([]wire.Msg, 0, 1)}
		for _, buf := range []string{"", "abc"} {
			if err := c.Decode([]byte(buf), &in); err != nil {
				t.Fatal(err)
			}
		}
		before := fmt.Sprintf("%+v", c.framer)
		in.Msgs = in.Msgs[:1]
		if err := c.Decode([]byte("abcdef"), &in); err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprintf("%+v", c.framer); after != before {
			t.Errorf("%s: %s, before %s", frame, after, before)
		}
	}
}

// TestRecordedFeed frames a recorded feed as bufio would.
func TestRecordedFeed(t *testing.T) {
	feed, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "nmea-plaka.log"))
	if err != nil {
		t.Logf("THE RECORDED FEED IS ABSENT (%v): lines made up instead", err)
		for i := range 50000 {
			feed = fmt.Appendf(feed, "$IIVHW,,T,,M,%d.11,N,%d.31,K*51\r\n", i%37, i%101)
		}
	}
	p := mustNew(t, Config{Frame: "line"})
	plan := wiretest.Plan{Buffer: 4096, Msgs: 64, Steps: []int{1448, -1448, 17, 0}}
	r := wiretest.Run(t, p.NewConn(), feed, plan)
	want := strings.Split(strings.ReplaceAll(string(feed), "\r\n", "\n"), "\n")
	if r.Err != nil || len(r.Msgs) != len(want)-1 {
		t.Fatalf("%d messages, want %d; error %v", len(r.Msgs), len(want)-1, r.Err)
	}
	for i, m := range r.Msgs {
		if string(m.Data) != want[i] || m.Seq != uint64(i+1) {
			t.Fatalf("message %d is %q with number %d, want %q", i+1, m.Data, m.Seq, want[i])
		}
	}
}
