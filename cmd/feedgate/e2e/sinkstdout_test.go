package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestStdoutHasOnlyTheMessages(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--sink=stdout:")
	var frames []frame
	var want strings.Builder
	for seq := uint64(1); seq <= 2000; seq++ {
		message := fmt.Sprintf("message\x00%d\xff", seq)
		frames = append(frames, data(seq, message))
		want.WriteString(message + "\n")
	}
	c.send(frames...)
	c.acks(len(frames))
	if got := p.stdout.String(); !strings.HasPrefix(want.String(), got) {
		t.Error("standard output does not have the messages in order")
	}
	c.finish(0, 0)
	p.exit(0)
	if got := p.stdout.String(); got != want.String() {
		t.Errorf("standard output holds %d bytes, want %d", len(got), want.Len())
	}
}

// TestWorkersShareStdoutLineByLine: no line is split.
func TestWorkersShareStdoutLineByLine(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=4", "--sink=stdout:")
	var frames []frame
	var want []string
	for seq := uint64(1); seq <= 20_000; seq++ {
		message := fmt.Sprintf("message %d %s", seq, strings.Repeat("x", int(seq%200)))
		frames = append(frames, data(seq, message))
		want = append(want, message)
	}
	go c.Write(encodeAll(frames))
	c.acks(len(frames))
	c.finish(0, 0)
	p.exit(0)
	if !sameLines(p.stdout.String(), want) {
		t.Error("standard output does not hold each message once, whole")
	}
}

func encodeAll(frames []frame) []byte {
	var b []byte
	for _, f := range frames {
		b = f.append(b)
	}
	return b
}
