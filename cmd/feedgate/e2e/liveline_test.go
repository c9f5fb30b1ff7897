package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"feedgate/worker/testkit"
)

// TestLiveLine: on a terminal, one line below the log shows what happens, and what the log and children write
// goes above it.
func TestLiveLine(t *testing.T) {
	t.Parallel()
	const child = `head -c 1 >/dev/null; while :; do echo "the child writes" >&2; sleep 0.1; done`
	s := listenFG(t)
	pty := testkit.NewPTY(t, 100, 30)
	p := runWith(t, launch{args: []string{s.url(), "--sink=exec:" + child, "--workers=1"}, sink: true, prepare: pty.Control})
	c := s.accept()
	c.welcome(1, "{}")
	c.sendN(1, 1, "one")
	live := regexp.MustCompile(`\x1b\[K[^\n]* msg/s, [^\n]* in flight 1 of `)
	eventually(t, "the live line is shown again and again", func() bool { return len(live.FindAllString(pty.Text(), -1)) > 3 })
	p.signal(os.Kill)
	<-p.exited
	text := pty.Text()
	if !strings.Contains(text, "the child writes") {
		t.Error("no line of the child")
	}
	for i, line := range regexp.MustCompile(`\r\n|\r\x1b\[K`).Split(text, -1) {
		for _, begins := range []string{"the child writes", "time="} {
			if strings.LastIndex(line, begins) > 0 {
				t.Errorf("line %d is mixed with another: %q", i, line)
			}
		}
	}
}
