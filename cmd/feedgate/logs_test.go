package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/cli"
)

func TestLogger(t *testing.T) {
	for _, c := range []struct {
		flags logFlags
		json  bool
		lines int
	}{
		{logFlags{"text", "debug"}, false, 4},
		{logFlags{"text", "info"}, false, 3},
		{logFlags{"json", "warn"}, true, 2},
		{logFlags{"json", "error"}, true, 1},
	} {
		var out bytes.Buffer
		log := c.flags.logger(&out)
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		log.Error("e")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != c.lines {
			t.Errorf("%+v: %q", c.flags, lines)
		}
		for _, line := range lines {
			if json.Valid([]byte(line)) != c.json {
				t.Errorf("%+v: %s", c.flags, line)
			}
		}
	}
}

// TestLongLines: a line has at most cli.MaxLine bytes and is well-formed, whatever its values.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("\x00\"ü\n", 3000)
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := logFlags{format, "info"}.logger(&out)
		log.Info("short", "error", errors.New(long))
		log.Info(long, "b", long, "c", []string{long}, "d", time.Second)
		with := log.With("upstream", long).WithGroup("g")
		with.Info("with", "b", long)
		for range 100 {
			with = with.With("key", long)
		}
		with.Warn("many")
		lines := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 4 {
			t.Fatalf("%s: %d lines", format, len(lines))
		}
		for i, want := range []string{"short", "1s", "upstream", "many"} {
			quotes := strings.Count(lines[i], `"`) - strings.Count(lines[i], `\"`)
			if len(lines[i]) > cli.MaxLine || !strings.Contains(lines[i], want) || quotes%2 != 0 {
				t.Errorf("%s: %d bytes, want %q: %.200s", format, len(lines[i]), want, lines[i])
			}
			if format == "json" && !json.Valid([]byte(lines[i])) {
				t.Errorf("not JSON: %.200s", lines[i])
			}
			if i < 3 && !strings.Contains(lines[i], " more bytes)") {
				t.Errorf("%s: the cut is not marked in %.200s", format, lines[i])
			}
		}
	}
}

// TestDurations: durations are texts in both formats.
func TestDurations(t *testing.T) {
	for format, want := range map[string]string{"text": "a=1.5s", "json": `"a":"1.5s"`} {
		var out bytes.Buffer
		logFlags{format, "info"}.logger(&out).Info("m", "a", 1500*time.Millisecond)
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}
