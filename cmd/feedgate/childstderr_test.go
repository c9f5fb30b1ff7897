package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// lines collects each Write.
type lines []string

func (l *lines) Write(b []byte) (int, error) {
	*l = append(*l, string(b))
	return len(b), nil
}

func TestPassLines(t *testing.T) {
	long := strings.Repeat("x", childLine)
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"a\n\nb\n", []string{"a\n", "\n", "b\n"}},
		{"a\nunfinished", []string{"a\n", "unfinished\n"}},
		{long + "y\nb\n", []string{long + "\n", "y\n", "b\n"}},
	} {
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(c.in), "byte by byte": iotest.OneByteReader(strings.NewReader(c.in)),
		} {
			var got lines
			passLines(&got, r)
			if !slices.Equal(got, c.want) {
				t.Errorf("%.20q %s is %q, not %q", c.in, name, got, c.want)
			}
		}
	}
}
