package e2e

import (
	"encoding/binary"
	"strings"
	"testing"
)

// nested returns an object with that many nested arrays.
func nested(arrays int) string {
	return `{"id":` + strings.Repeat("[", arrays) + strings.Repeat("]", arrays) + "}"
}

// TestQuotedJSONCannotForgeAcks: a value quoted in an ack cannot end it and begin another one.
func TestQuotedJSONCannotForgeAcks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ frame, template, message, want string }{
		"LF as an escape":    {"line", `OK {json:id}\n`, `{"id":"7\nOK 8"}`, `OK 7\nOK 8` + "\n"},
		"LF by its number":   {"line", `OK {json:id}\n`, `{"id":"7\u000aOK 8"}`, `OK 7\u000aOK 8` + "\n"},
		"in an array":        {"length:size=2", `{json:id}\n`, "{\"id\":[\n8\n,\n9]}", "[8,9]\n"},
		"in an object":       {"length:size=2", `{json:id}\n`, "{\"id\":{\"a\"\n:\r\n8\n}}", "{\"a\":8}\n"},
		"below the top":      {"length:size=2", `{json:/a/0}\n`, "{\"a\":[[\n8\n]]}", "[8]\n"},
		"DEL and C1":         {"line", `{json:id}\n`, "{\"id\":\"\x7f\u0085\"}", "\x7f\u0085\n"},
		"not UTF-8":          {"line", `{json:id}\n`, "{\"id\":\"\xff\"}", "\xff\n"},
		"10,000 deep":        {"line", `{json:id}\n`, nested(9_999), nested(9_999)[len(`{"id":`):len(nested(9_999))-1] + "\n"},
		"too deep":           {"line", `{json:id}\n`, nested(10_000), "\n"},
		"LF within a string": {"length:size=2", `OK {json:id}\n`, "{\"id\":\"7\nOK 8\"}", "OK \n"}, // not JSON
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, s.url(), "--frame="+c.frame, "--ack-template="+c.template, "--exit-on-close", "--sink=discard:")
			conn := s.accept()
			frame := append([]byte(c.message), '\n')
			if c.frame != "line" {
				frame = append(binary.BigEndian.AppendUint16(nil, uint16(len(c.message))), c.message...)
			}
			conn.send(frame)
			if got := conn.rest(); got != c.want {
				t.Errorf("the gateway sent %q, want %q", got, c.want)
			}
			p.exit(0)
		})
	}
}
