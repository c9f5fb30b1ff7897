package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFileHasEveryAckedMessage: at every ack. The test can see that the message was written, but
// not that it was synced.
func TestFileHasEveryAckedMessage(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=2", sink.flag())
	seq := uint64(0)
	for round := range 40 {
		var frames []frame
		for range 1 + round%7 {
			seq++
			frames = append(frames, data(seq, fmt.Sprintf("message %d.", seq)))
		}
		c.send(frames...)
		for range frames {
			f := c.next()
			if f.op != opAck || !strings.Contains(sink.text(t), fmt.Sprintf("message %d.\n", f.seq)) {
				t.Fatalf("%v, but the file does not have the message", f)
			}
		}
	}
	c.finish(0, 0)
	p.exit(0)
}

// TestFileIsAppendedTo: after an unfinished last line was completed by LF.
func TestFileIsAppendedTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, kept string }{
		"whole lines":     {"old\nlines\n", "old\nlines\n"},
		"unfinished line": {"old\nunfinis", "old\nunfinis\n"},
		"no whole line":   {"unfinis", "unfinis\n"},
		"empty":           {"", ""},
		"long unfinished": {"old\n" + strings.Repeat("u", 300_000), "old\n" + strings.Repeat("u", 300_000) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			if err := os.WriteFile(sink.path, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			p, _, conn := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
			conn.send(data(1, "new"))
			conn.acked(1)
			conn.finish(0, 0)
			p.exit(0)
			if got := sink.text(t); got != c.kept+"new\n" {
				t.Errorf("the file holds %.100q", got)
			}
			if c.before != c.kept && !strings.Contains(p.stderr.String(), sink.path) {
				t.Error("the completed line is not logged")
			}
		})
	}
}

func TestUnopenableFileIsAnError(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/no/such/folder/file"
	got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=file:"+path)
	if got.status != 1 || !strings.Contains(got.stderr, path) {
		t.Errorf("status %d, %q; want 1 and the path", got.status, got.stderr)
	}
}

// TestFileKeepsEveryByte: including LF and NUL.
func TestFileKeepsEveryByte(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	c.send(data(1, string(all)), data(2, ""), data(3, "\r"))
	c.finish(0, 3)
	p.exit(0)
	sink.holds(t, string(all), "", "\r")
}
