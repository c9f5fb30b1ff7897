package main

import (
	"errors"
	"strings"
	"testing"
)

// TestLoggedErrorsAreNotPrinted: a logged error is not printed again, alone or joined with another.
func TestLoggedErrorsAreNotPrinted(t *testing.T) {
	logged := loggedError{errors.New("fg://a:1: broken pipe")}
	for _, c := range []struct {
		err  error
		want string
	}{
		{logged, ""},
		{errors.Join(logged, errors.New("--sink: gone")), "feedgate: --sink: gone\n"},
	} {
		var out strings.Builder
		printError(&out, c.err, &globals{settings: newSettings()}, "feedgate run")
		if out.String() != c.want {
			t.Errorf("%v: %q, not %q", c.err, out.String(), c.want)
		}
	}
}
