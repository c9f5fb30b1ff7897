package testkit

import "testing"

// TestCrash: the first forbidden word is kept, with its line, even if two writes split it.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		writes []string
		want   string
	}{
		{[]string{"fine\n"}, ""},
		{[]string{"fine\nit says secret x\nfine\n"}, "secret, in it says secret x"},
		{[]string{"fine\na sec", "ret y\nanother secret\n"}, "secret, in a secret y"},
		{[]string{"panic: z\n"}, "panic:, in panic: z"},
	} {
		var d Output
		d.Forbid("secret")
		for _, w := range c.writes {
			if _, err := d.Write([]byte(w)); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.crash(); got != c.want {
			t.Errorf("%q: %q, want %q", c.writes, got, c.want)
		}
	}
}
