package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestExitStatus(t *testing.T) {
	fault := errors.New("fault")
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{fault, 1},
		{fmt.Errorf("wrapped: %w", fault), 1},
		{Usage(fault), 2},
		{Usagef("--ring: %d", 3), 2},
		{errors.Join(fault, Usage(fault)), 2},
		{ExitError{Code: 99, Err: fault}, 99},
		{fmt.Errorf("wrapped: %w", ExitError{Code: 99}), 99},
	} {
		if got := Status(c.err); got != c.want {
			t.Errorf("%v: %d, not %d", c.err, got, c.want)
		}
	}
}

func TestPrintError(t *testing.T) {
	origin := func(flag string) string { return map[string]string{"ring": "FEEDGATE_RING"}[flag] }
	fault := errors.New("fg://a:1: broken pipe")
	for _, c := range []struct {
		err  error
		want string
	}{
		{fault, "feedgate: fg://a:1: broken pipe\n"},
		{errors.Join(fault, nil, fault), "feedgate: fg://a:1: broken pipe\n"},
		{
			Usage(errors.Join(errors.New("--ring: x"), errors.New("--memory: y"), errors.New("--ring: x"))),
			"feedgate: --ring: x (set by FEEDGATE_RING)\nfeedgate: --memory: y\nfeedgate: see feedgate run --help\n",
		},
		{Usagef("--ring=3"), "feedgate: --ring=3 (set by FEEDGATE_RING)\nfeedgate: see feedgate run --help\n"},
		{errors.New("open /tmp/x\x1b]0;P\a\xff\u2028: ü"), `feedgate: open /tmp/x\x1b]0;P\a\xff\u2028: ü` + "\n"},
		{ExitError{Code: 1}, ""},
		{nil, ""},
		{ExitError{Code: 1, Err: fault}, "feedgate: fg://a:1: broken pipe\n"},
	} {
		var out strings.Builder
		PrintError(&out, c.err, origin, "feedgate run")
		if out.String() != c.want {
			t.Errorf("%v: %q, not %q", c.err, out.String(), c.want)
		}
	}
}

func TestFlagAtFault(t *testing.T) {
	for text, want := range map[string]string{
		"--ring: 3":             "ring",
		"--log-level must be":   "log-level",
		`--sink "file:/x": bad`: "sink",
		"--ring=3":              "ring",
		"--ring":                "ring",
		"--tls-cert, --tls-key": "tls-cert",
		"ring: 3":               "",
		"":                      "",
	} {
		if got := FlagAtFault(text); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}
