package main

import (
	"testing"
)

// TestFit: a live line leaves the last column free, so that the terminal does not wrap it.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"12 msg/s", 80, "12 msg/s"},
		{"12 msg/s", 8, "12 msg/"},
		{"file:消息", 9, "file:消"},
		{"file:消息", 8, "file:消"},
		{"12 msg/s", 1, ""},
		{"12 msg/s", 0, ""},
		{"", 80, ""},
	} {
		if got := fit(c.text, c.width); got != c.want {
			t.Errorf("%q in %d columns is %q, not %q", c.text, c.width, got, c.want)
		}
	}
}
