package feedserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker/testkit"
)

func TestLine(t *testing.T) {
	const count = 5000
	s := start(t, Config{Protocol: "line", Count: count, Size: 20})
	nc := dial(t, s)
	// A hello and heartbeats, in pieces, are signs of life.
	fmt.Fprint(nc, "login me\n\n")
	r := bufio.NewReader(nc)
	for n := uint64(1); n <= count; n++ {
		line, err := r.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if want := append(bytes.Clone(s.payload(n)), '\n'); !bytes.Equal(line, want) || len(line) != 21 {
			t.Fatalf("message %d is %q, want %q", n, line, want)
		}
		fmt.Fprintf(nc, "alive\nA%d", n)
		fmt.Fprint(nc, "\n")
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after the last message: %v", err)
	}
	_ = nc.Close()
	report := wait(t, s)
	expect(t, report.Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
	if report.Clients[0].Client != nc.LocalAddr().String() {
		t.Errorf("client is %q", report.Clients[0].Client)
	}
}

// TestLineAcksAfterEnd: the feed closes its sending side after the last message, and still reads
// acks.
func TestLineAcksAfterEnd(t *testing.T) {
	s := start(t, Config{Protocol: "line", Count: 3})
	nc := dial(t, s)
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, "A1\nA2\nA3\nA03\nA\nAx\n")
	_ = nc.(*net.TCPConn).CloseWrite()
	expect(t, wait(t, s).Total, Counts{Sent: 3, Acknowledged: 3, Duplicate: 1, Unknown: 2, Connections: 1})
}

func TestLineTooLong(t *testing.T) {
	s := start(t, Config{Protocol: "line", Count: 1, SessionTimeout: 50 * time.Millisecond})
	nc := dial(t, s)
	_, _ = nc.Write(bytes.Repeat([]byte("x"), maxFrame+1))
	_, _ = io.Copy(io.Discard, nc)
	_ = nc.Close()
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 1, Missing: 1, Connections: 1, ProtocolErrors: 1})
}

// TestLineResume: if a connection is lost before all messages are sent, the next one continues, and
// its acks count from 1.
func TestLineResume(t *testing.T) {
	s := start(t, Config{Protocol: "line", Count: 10, Window: 5, Size: 3})
	nc := dial(t, s)
	if _, err := io.CopyN(io.Discard, nc, 5*4); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, "A1\nA2\nA4\n")
	testkit.Eventually(t, "three acks", func() bool { return s.Report().Total.Acknowledged == 3 })
	_ = nc.Close()
	nc = dial(t, s)
	r := bufio.NewReader(nc)
	for n := uint64(1); n <= 8; n++ {
		line, err := r.ReadString('\n')
		if err != nil || line != string(s.payload(n+2))+"\n" {
			t.Fatalf("message %d is %q, %v; want %q", n, line, err, s.payload(n+2))
		}
		fmt.Fprintf(nc, "A%d\n", n)
	}
	_ = nc.Close()
	total := wait(t, s).Total
	if total.Sent != 10 || total.Acknowledged != 10 || total.Duplicate+total.Unknown != 0 || total.Connections != 2 {
		t.Errorf("%+v", total)
	}
}

func TestLength(t *testing.T) {
	const count = 5000
	s := start(t, Config{Protocol: "length", Count: count, Size: 33})
	nc := dial(t, s)
	r := bufio.NewReader(nc)
	for n := uint64(1); n <= count; n++ {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r, payload); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(payload, s.payload(n)) || len(payload) != 33 {
			t.Fatalf("message %d is %q", n, payload)
		}
		ack := append([]byte{0, 0, 0, 1, 'h'}, lengthAck(n, uint16(n%2))...)
		_, _ = nc.Write(ack[:7])
		_, _ = nc.Write(ack[7:])
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after the last message: %v", err)
	}
	_ = nc.Close()
	expect(t, wait(t, s).Total, Counts{Sent: count, Acknowledged: count, Refused: count / 2, Connections: 1})
}

// writeFile creates a file to replay and returns its path.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "feed.log")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const replayed = "$GPGGA,1*7A\r\nsecond\n\r\n\nlone\rCR\nlast, without an end"

// TestReplayLine: with line, a file is sent as it is, with a line end added at its end.
func TestReplayLine(t *testing.T) {
	s := start(t, Config{Protocol: "line", Replay: writeFile(t, replayed)})
	nc := dial(t, s)
	got, err := io.ReadAll(nc)
	if err != nil || string(got) != replayed+"\n" {
		t.Errorf("got %q, %v", got, err)
	}
	fmt.Fprint(nc, "A1\nA2\nA3\nA4\nA5\nA6\n")
	_ = nc.Close()
	expect(t, wait(t, s).Total, Counts{Sent: 6, Acknowledged: 6, Connections: 1})
}

// TestReplayFrames: in frames, lines have no line ends. With a count above the number of lines, the
// file repeats.
func TestReplayFrames(t *testing.T) {
	lines := []string{"$GPGGA,1*7A", "second", "", "", "lone\rCR", "last, without an end"}
	s := start(t, Config{Replay: writeFile(t, replayed), Count: 20, Parts: 1})
	c := login(t, s, "", 0)
	for n := range uint64(20) {
		f := c.want(fg1.Data)
		if want := lines[n%6]; f.Seq != n+1 || string(f.payload) != want || string(s.payload(n+1)) != want {
			t.Fatalf("message %d is %q", f.Seq, f.payload)
		}
	}
	c.ack(1, 20)
	c.end(fg1.CodeOK)
	expect(t, wait(t, s).Total, Counts{Sent: 20, Acknowledged: 20, Connections: 1})
}

// TestReplayLong: a file longer than a batch, with lines of many lengths, arrives complete, also
// when a session resumes in the middle.
func TestReplayLong(t *testing.T) {
	var content strings.Builder
	for n := range 30_000 {
		content.WriteString(strings.Repeat("x", n%97))
		fmt.Fprintf(&content, "%d\n", n)
	}
	s := start(t, Config{Replay: writeFile(t, content.String()), Count: 70_000})
	check := func(c *fgClient, from, to uint64) {
		t.Helper()
		for seq := from; seq <= to; seq++ {
			f := c.want(fg1.Data)
			if f.Seq != seq || !bytes.Equal(f.payload, s.payload(seq)) {
				t.Fatalf("message %d is %d, %q", seq, f.Seq, f.payload)
			}
			if seq%5000 == 0 {
				c.ack(seq-4999, seq)
			}
		}
	}
	c := login(t, s, "", 0)
	check(c, 1, 45_000)
	c.cut()
	c = login(t, s, c.session, 45_000)
	check(c, 45_001, 70_000)
	c.end(fg1.CodeOK)
	if r := wait(t, s); r.Total.Acknowledged != 70_000 || r.Err() != nil {
		t.Errorf("%+v", r.Total)
	}
}
