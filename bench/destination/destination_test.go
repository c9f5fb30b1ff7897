package destination

import (
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	for text, want := range map[string]uint64{
		"": 0, "a": 1, "a\n": 1, "a\nb": 2, "\n\n": 2, strings.Repeat("x\n", 70_000): 70_000, strings.Repeat("x", 70_000): 1,
	} {
		if n, err := Lines(strings.NewReader(text)); n != want || err != nil {
			t.Errorf("%.10q: %d lines, %v; want %d", text, n, err, want)
		}
		if n, err := Lines(iotest.OneByteReader(strings.NewReader(text))); n != want || err != nil {
			t.Errorf("%.10q byte by byte: %d lines, %v; want %d", text, n, err, want)
		}
	}
	if _, err := Lines(iotest.ErrReader(iotest.ErrTimeout)); err != iotest.ErrTimeout {
		t.Errorf("error %v", err)
	}
}

func TestUnknownKind(t *testing.T) {
	if _, err := Start("file"); err == nil || !strings.Contains(err.Error(), `"file"`) {
		t.Errorf("error %v", err)
	}
}
