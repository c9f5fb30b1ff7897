package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSinkIsRequired: without --sink, acked messages would be lost, so nothing is connected. The
// error names the flag and the choices.
func TestSinkIsRequired(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	addr := strings.TrimPrefix(s.url(), "fg://")
	for _, line := range []string{
		s.url(), "ws://" + addr + "/", "nsq://" + addr + "/topic/channel", "tcp://" + addr + " --frame=line",
		s.url() + " --sink=",
	} {
		args := append([]string{"run", "--admin=", "--exit-on-close"}, strings.Fields(line)...)
		p := start(t, launch{args: args}) // killed with the test
		if status := p.status(patience); status != 2 {
			t.Errorf("%s: status %d, want 2", line, status)
		}
		for _, word := range []string{"--sink", "discard:", "file:", "exec:"} {
			if !strings.Contains(p.stderr.String(), word) {
				t.Errorf("%s: %q is not named in\n%s", line, word, p.stderr)
			}
		}
	}
}

// TestStreamSinksKeepTheOrder: with the defaults, and any number of processors, standard output and
// a file have the lines in order of arrival.
func TestStreamSinksKeepTheOrder(t *testing.T) {
	t.Parallel()
	const lines = 20000
	var feed, want strings.Builder
	for i := range lines {
		fmt.Fprintf(&feed, "sentence %d of %d\r\n", i, lines)
		fmt.Fprintf(&want, "sentence %d of %d\n", i, lines)
	}
	file := newFileSink(t)
	for _, sink := range []string{"stdout:", "file:" + file.path} {
		s := listenTCP(t)
		p := run(t, s.url(), "--frame=line", "--exit-on-close", "--maxprocs=4", "--sink="+sink)
		c := s.accept()
		// In several writes, so that the workers get several batches.
		for text := feed.String(); text != ""; {
			n := min(len(text), 4099)
			c.send([]byte(text[:n]))
			text = text[n:]
		}
		c.close()
		p.exit(0)
		got := p.stdout.String()
		if sink != "stdout:" {
			got = file.text(t)
		}
		if got != want.String() {
			t.Errorf("--sink %s: the lines are not in order of arrival", sink)
		}
	}
}
