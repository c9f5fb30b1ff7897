package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// maxLogLine is the maximum length of a log line, with its LF.
const maxLogLine = 4096

// TestLogLinesAreBounded: and well-formed, however long the texts of a peer are.
func TestLogLinesAreBounded(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		session := strings.Repeat(`"quoted" ü `, 4000)
		welcome, err := json.Marshal(map[string]string{"session": session})
		if err != nil {
			t.Fatal(err)
		}
		p, _, c := connectFG(t, string(welcome), "--sink=discard:", "--log-format="+format)
		p.waitLog("logged in", "more bytes")
		p.stop(c)
		for line := range strings.Lines(p.stderr.String()) {
			if len(line) > maxLogLine {
				t.Errorf("%s: a line of %d bytes", format, len(line))
			}
			quotes := strings.Count(line, `"`) - strings.Count(line, `\"`)
			if format == "json" && !json.Valid([]byte(line)) || quotes%2 != 0 || !strings.HasSuffix(line, "\n") {
				t.Errorf("%s: not well-formed: %.300q", format, line)
			}
		}
	}
}

// TestLogDurationsAreStrings: in JSON, too.
func TestLogDurationsAreStrings(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--sink=discard:", "--log-format=json", "--drain-timeout=90s")
	p.stop(c)
	if text := p.stderr.String(); !strings.Contains(text, `"timeout":"1m30s"`) {
		t.Errorf("no duration in\n%s", text)
	}
}

// TestFailureIsLoggedOnce: with its upstream, under the key "error".
func TestFailureIsLoggedOnce(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		s := listenFG(t)
		p := run(t, s.url(), "--sink=discard:", "--log-format="+format)
		c := s.accept()
		c.hello()
		c.send(frame{op: opBye, code: 4})
		c.untilBye()
		c.close()
		p.exit(1)
		failed, lines := 0, 0
		for line := range strings.Lines(p.stderr.String()) {
			lines++
			if strings.Contains(line, "err=") || strings.Contains(line, `"err":`) {
				t.Errorf("%s: an error has another key in %s", format, line)
			}
			if strings.Contains(line, "failed") || strings.HasPrefix(line, "feedgate:") {
				failed++
				if !strings.Contains(line, s.url()) {
					t.Errorf("%s: no upstream in %s", format, line)
				}
			}
		}
		if failed != 1 || lines == 0 {
			t.Errorf("%s: the failure is logged %d times in\n%s", format, failed, p.stderr)
		}
	}
}
