package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
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
