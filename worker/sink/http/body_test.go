package httpsink

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzBody: a server that takes a body apart has the messages, whatever they are and however the body
// is read; its length is the one announced; a second reader has the same.
func FuzzBody(f *testing.F) {
	f.Add([]byte("\x03abc\x00\x01\n"), uint8(1), uint8(3))
	f.Add([]byte("\x02{}\x01[\x04null"), uint8(2), uint8(1))
	f.Add(bytes.Repeat([]byte("\x40"), 300), uint8(0), uint8(200))
	f.Fuzz(func(t *testing.T, text []byte, which, step uint8) {
		name := []string{"ndjson", "json", "length"}[which%3]
		format := formats[name]
		var parts [][]byte
		var want []string
		for len(text) > 0 {
			n := min(int(text[0]), len(text)-1)
			m := text[1 : 1+n]
			text = text[1+n:]
			if fits := format.fits == nil || format.fits(m); fits {
				parts, want = append(parts, m), append(want, string(m))
			}
			if name == "json" && (format.fits(m) != (json.Valid(m) && utf8.Valid(m))) {
				t.Fatalf("%q: fits %v", m, format.fits(m))
			}
		}
		if len(parts) == 0 {
			return
		}
		c := newContent(format, parts)
		first, _ := c.reader()
		body, err := io.ReadAll(slow{first, int(step) + 1})
		if err != nil || int64(len(body)) != c.size {
			t.Fatalf("%d bytes, want %d, %v", len(body), c.size, err)
		}
		second, _ := c.reader()
		again, err := io.ReadAll(iotest.OneByteReader(second))
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("%q, %v\nnot\n%q", again, err, body)
		}
		var got []string
		if name == "json" {
			var values []json.RawMessage
			if err := json.Unmarshal(body, &values); err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			for i, v := range values {
				got, want[i] = append(got, string(v)), string(bytes.Trim(parts[i], " \t\r\n"))
			}
		} else {
			got = split(t, format.contentType, body)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q\nnot\n%q", got, want)
		}
		whole, resent := c.release()
		if n, err := second.Read(make([]byte, 1)); !whole || !resent || n != 0 || err != io.EOF {
			t.Fatalf("after release: %v, %v, %d, %v", whole, resent, n, err)
		}
	})
}

// slow reads at most step bytes at a time.
type slow struct {
	io.Reader
	step int
}

// Read implements [io.Reader].
func (r slow) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.step)]) }

// TestRelease: a body that was not read to its end is not read any further.
func TestRelease(t *testing.T) {
	c := newContent(ndjson, [][]byte{[]byte("abc"), []byte("def")})
	r, _ := c.reader()
	if n, err := r.Read(make([]byte, 5)); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if whole, again := c.release(); whole || again {
		t.Error(whole, again)
	}
	if n, err := r.Read(make([]byte, 5)); n != 0 || err != errReleased {
		t.Error(n, err)
	}
}
