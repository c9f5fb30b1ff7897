package main

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
		{usageError{fault}, 2},
		{usagef("--ring: %d", 3), 2},
		{errors.Join(fault, usageError{fault}), 2},
		{exitError{code: 99, err: fault}, 99},
		{fmt.Errorf("wrapped: %w", exitError{code: 99}), 99},
	} {
		if got := exitStatus(c.err); got != c.want {
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
			usageError{errors.Join(errors.New("--ring: x"), errors.New("--memory: y"), errors.New("--ring: x"))},
			"feedgate: --ring: x (set by FEEDGATE_RING)\nfeedgate: --memory: y\nfeedgate: see feedgate run --help\n",
		},
		{usagef("--ring=3"), "feedgate: --ring=3 (set by FEEDGATE_RING)\nfeedgate: see feedgate run --help\n"},
		{exitError{code: 1}, ""},
		{loggedError{fault}, ""},
		{errors.Join(loggedError{fault}, errors.New("--sink: gone")), "feedgate: --sink: gone\n"},
		{exitError{code: 1, err: fault}, "feedgate: fg://a:1: broken pipe\n"},
	} {
		var out strings.Builder
		printError(&out, c.err, origin, "feedgate run")
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
		"ring: 3":               "",
		"":                      "",
	} {
		if got := flagAtFault(text); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}
