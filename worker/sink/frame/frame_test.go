package frame

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"feedgate/worker"
	"feedgate/worker/selector"
)

// jsonRecord is a line of ?frame=json as a reader decodes it.
type jsonRecord struct {
	Seq    uint64  `json:"seq"`
	ID     *string `json:"id"`
	ID64   *string `json:"id64"`
	Data   *string `json:"data"`
	Data64 *string `json:"data64"`
}

// message returns the data of the record, which must have them once, in the right member.
func (r jsonRecord) message() ([]byte, error) {
	return member("data", r.Data, r.Data64)
}

// id returns the ID likewise.
func (r jsonRecord) id() ([]byte, error) { return member("id", r.ID, r.ID64) }

func member(name string, text, encoded *string) ([]byte, error) {
	switch {
	case (text == nil) == (encoded == nil):
		return nil, fmt.Errorf("want %s or %s64", name, name)
	case text != nil:
		return []byte(*text), nil
	}
	b, err := base64.StdEncoding.DecodeString(*encoded)
	if err == nil && utf8.Valid(b) {
		err = fmt.Errorf("%q needs no base64", b)
	}
	return b, err
}

// byPrefix makes the first 8 bytes of a message its ID.
var byPrefix = func() *worker.Origin {
	s, err := selector.Parse("bytes:0:8")
	if err != nil {
		panic(err)
	}
	return &worker.Origin{ID: &s}
}()

func checkJSON(t interface{ Fatalf(string, ...any) }, seq uint64, data []byte) {
	line := JSON.Append([]byte("before"), byPrefix.Message(data, seq, 0))
	line, ok := bytes.CutPrefix(line, []byte("before"))
	text, ended := bytes.CutSuffix(line, []byte("\n"))
	// And those that a reader may take for the end of a line.
	if !ok || !ended || bytes.ContainsAny(text, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029") || !utf8.Valid(text) {
		t.Fatalf("%q is not one line", line)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var r jsonRecord
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	got, err := r.message()
	id, idErr := r.id()
	if err != nil || idErr != nil || r.Seq != seq || !bytes.Equal(got, data) || !bytes.Equal(id, data[:min(8, len(data))]) {
		t.Fatalf("%d %q came back as %d %q, id %q, from %q: %v, %v", seq, data, r.Seq, got, id, text, err, idErr)
	}
}

func TestJSONRecordsComeBackExactly(t *testing.T) {
	for _, s := range []string{
		"", "a", `"`, `\`, `\u0041`, "</script>&'", "\u2028", "x\u2029", "\u0085", "\uFEFF", "\uFFFD", "\U0010FFFF", "\x7f",
		"\n", "\r\n", "\x00", "\xff", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\u20ac"[:2], "e\u0301", "\u00e9",
	} {
		checkJSON(t, 1<<64-1, []byte(s))
	}
	for c := range 256 {
		checkJSON(t, uint64(c), []byte{'a', byte(c), 'b'})
	}
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) }),
		).Draw(t, "data")
		checkJSON(t, rapid.Uint64().Draw(t, "seq"), data)
	})
}

func FuzzJSONRecord(f *testing.F) {
	f.Add(uint64(1), []byte("a\u2028\x00\"\\"))
	f.Add(uint64(0), []byte("\xff"))
	f.Fuzz(func(t *testing.T, seq uint64, data []byte) { checkJSON(t, seq, data) })
}

func TestJSONRecordIsAsDocumented(t *testing.T) {
	for data, want := range map[string]string{
		`say "hi"` + "\n": `{"seq":7,"id":"","data":"say \"hi\"\n"}` + "\n",
		"\xff\x00":        `{"seq":7,"id":"","data64":"/wA="}` + "\n",
	} {
		if got := string(JSON.Append(nil, worker.Message{Seq: 7, Data: []byte(data)})); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	const want = `{"seq":7,"id":"12345678","data":"123456789"}` + "\n"
	if got := string(JSON.Append(nil, byPrefix.Message([]byte("123456789"), 7, 0))); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFramingAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for _, f := range byName {
		for _, data := range [][]byte{[]byte("a\n\u2028\u00e9"), []byte("\xff\xfe")} {
			m := byPrefix.Message(data, 5, 0)
			if n := testing.AllocsPerRun(100, func() { dst = f.Append(dst[:0], m) }); n != 0 {
				t.Errorf("framing %d allocates %v times a message", f, n)
			}
		}
	}
}
