package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestJSONLogHasOnlyObjects: one per line of standard error.
func TestJSONLogHasOnlyObjects(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"log"}`, "--log-format=json", "--log-level=debug")
	c.send(data(1, "one"), data(9, "nine"), frame{op: 99})
	c.untilBye()
	c.close()
	c = s.accept()
	c.welcome(10, `{"session":"log"}`)
	p.stop(c)
	for line := range strings.Lines(p.stderr.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("log line %q: %v", line, err)
		}
	}
	if p.stderr.String() == "" {
		t.Error("a gap and a protocol error left no line in the log")
	}
	if out := p.stdout.String(); out != "" {
		t.Errorf("standard output %q", out)
	}
}

// TestLogHasNoPayload: whatever fails.
func TestLogHasNoPayload(t *testing.T) {
	t.Parallel()
	const payload = "confidential-payload"
	kids := newChildren(t)
	p, s, c := connectFG(t, `{"session":"log"}`, "--log-level=debug", "--max-message=1KiB", "--memory=64KiB",
		"--retries=1", "--retry-min=1ms", kids.sink(t))
	long := strings.Repeat(payload, 100)
	c.send(data(1, payload), data(2, payload+" code=5"), data(3, long), data(4, payload+" die"), data(5, payload))
	c.acks(5)
	c.send(part(6, payload), data(7, payload))
	c.untilBye()
	c.close()
	c = s.accept()
	c.hello()
	c.send(frame{op: opWelcome, seq: 1, payload: []byte(payload)})
	c.untilBye()
	c.close()
	c = s.accept()
	c.welcome(6, `{"session":"log"}`)
	p.stop(c)
	if strings.Contains(p.stderr.String(), payload) {
		t.Error("the log has a payload")
	}
}

func TestLogHasNoPayloadOfFramedProtocols(t *testing.T) {
	t.Parallel()
	const payload = "confidential-payload"
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", "--log-level=debug", `--ack-template={json:id}\n`, "--max-message=1KiB", "--memory=64KiB")
	c := s.accept()
	c.send([]byte(payload + "\n" + strings.Repeat(payload, 100) + "\n" + payload))
	c.rest()
	c = s.accept()
	p.stop()
	c.close()
	if strings.Contains(p.stderr.String(), payload) {
		t.Error("the log has a payload")
	}
}
