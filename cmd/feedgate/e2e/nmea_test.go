package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recordedSentences is the number of sentences of the recorded feed. The last one has no CR LF.
const recordedSentences = 116_000

// recording returns the recorded feed: CR LF after every sentence except the last.
func recording(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(root, "..", "shared", "data", "nmea-plaka.log")
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		return text
	case !errors.Is(err, fs.ErrNotExist):
		t.Fatal(err)
	}
	t.Logf("NO RECORDED FEED %s: using generated sentences", path)
	var b bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for i := range recordedSentences {
		if i > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "$IIMWV,%03d,R,%05.2f,N,A*%02X", random.IntN(360), random.Float64()*40, random.IntN(256))
	}
	return b.Bytes()
}

// sentences returns the complete lines of the text.
func sentences(text []byte) []string {
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	return lines[:len(lines)-1]
}

func TestRecordedFeedEndsTruncated(t *testing.T) {
	text := recording(t)
	sink := newFileSink(t)
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--ack-template=A{n}\n`, sink.flag())
	c := s.accept()
	acks := replay(t, c, text)
	checkLineAcks(t, acks, recordedSentences-1)
	p.protocolErrors(1, "truncated")
	if n := p.metric("feedgate_messages_total"); n != recordedSentences-1 {
		t.Errorf("feedgate_messages_total %v", n)
	}
	again := s.accept()
	p.stop()
	again.close()
	if got, want := sink.text(t), sentences(text); !sameLines(got, want) {
		t.Errorf("the file does not hold exactly the %d sentences", len(want))
	}
}

func TestRecordedFeedKeepsTheOrder(t *testing.T) {
	text := append(recording(t), "\r\n"...)
	sink := newFileSink(t)
	s := listenTCP(t)
	// One key for all, so that the file has the order of the feed.
	p := run(t, s.url(), "--frame=line", `--ack-template=A{n}\n`, "--exit-on-close",
		"--dispatch=key", "--key=bytes:0:1", sink.flag())
	acks := replay(t, s.accept(), text)
	checkLineAcks(t, acks, recordedSentences)
	p.exit(0)
	if got := sink.text(t); got != strings.ReplaceAll(string(text), "\r\n", "\n") {
		t.Errorf("the file does not hold exactly the sentences, in order")
	}
	if strings.Contains(p.stderr.String(), "truncated") {
		t.Error("a complete feed is logged as truncated")
	}
}

// replay sends the text in pieces of random size, ends the stream, and returns all acks.
func replay(t *testing.T, c *tcpConn, text []byte) string {
	t.Helper()
	random := seeded(t)
	got := make(chan string, 1)
	if err := c.SetReadDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		var all bytes.Buffer
		// An error shows as missing acks.
		_, _ = all.ReadFrom(c.TCPConn)
		got <- all.String()
	}()
	c.sendPieces(text, 1500, random)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	acks := <-got
	c.close()
	return acks
}

// checkLineAcks checks that the acks are A1 to A<count>, each once, in any order.
func checkLineAcks(t *testing.T, acks string, count int) {
	t.Helper()
	seen := make([]bool, count+1)
	n := 0
	for line := range strings.Lines(acks) {
		number, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "A"), "\n"))
		switch {
		case err != nil || line != fmt.Sprintf("A%d\n", number) || number < 1 || number > count:
			t.Fatalf("ack %q after %d acks", line, n)
		case seen[number]:
			t.Fatalf("ack %d twice", number)
		}
		seen[number] = true
		n++
	}
	if n != count {
		t.Fatalf("%d acks, want %d", n, count)
	}
}

// sameLines reports whether the text consists of the lines, in any order.
func sameLines(text string, want []string) bool {
	got := strings.Split(text, "\n")
	if got[len(got)-1] != "" {
		return false
	}
	got = got[:len(got)-1]
	want = slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
