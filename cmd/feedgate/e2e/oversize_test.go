package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oversize are flags that allow messages of 1 KiB, with far too little memory to store a longer one.
var oversize = []string{"--max-message=1KiB", "--memory=64KiB", "--workers=1", "--ack=ordered", "--exit-on-close"}

var skippedLine = regexp.MustCompile(`level=WARN msg="messages over --max-message skipped[^\n]* messages=(\d+)`)

// skippedLogged returns how many log lines report skipped messages, and how many messages they report.
func (p *process) skippedLogged() (lines, messages int) {
	p.t.Helper()
	for _, m := range skippedLine.FindAllStringSubmatch(p.stderr.String(), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			p.t.Fatal(err)
		}
		lines, messages = lines+1, messages+n
	}
	return lines, messages
}

// TestOversizedMessagesAreSkipped: in every framing, a message over --max-message is skipped,
// refused with code 3 and logged. The connection stays open.
func TestOversizedMessagesAreSkipped(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"line LF", "line CRLF", "delim of 1", "delim of 3", "delim of 8", "length 3 little",
		"length 4", "length 8 little", "length counts itself", "header is kept", "varint"} {
		for piece, largest := range map[string]int{"small pieces": 700, "large pieces": 200_000} {
			if name == "header is kept" && largest > 700 {
				continue // its length field has 2 bytes
			}
			t.Run(name+" in "+piece, func(t *testing.T) {
				t.Parallel()
				f, dead := framings[name], filepath.Join(t.TempDir(), "dead")
				sink := newFileSink(t)
				s := listenTCP(t)
				p := run(t, append([]string{s.url(), "--frame=" + f.flag, `--ack-template=A{n} {code}\n`,
					"--dead-letter=file:" + dead, sink.flag()}, oversize...)...)
				messages := []string{"one", strings.Repeat("x", 1025), "two", strings.Repeat("y\r", 30_000), "",
					strings.Repeat("a", 2000), strings.Repeat("b", 3000), "last"}
				var stream []byte
				var kept []string
				acks := ""
				for i, m := range messages {
					stream = append(stream, f.encode(m)...)
					if f.kept != nil {
						m = f.kept(m)
					}
					code := 3
					if len(m) <= 1024 {
						code, kept = 0, append(kept, m)
					}
					acks += fmt.Sprintf("A%d %d\n", i+1, code)
				}
				c := s.accept()
				c.sendPieces(stream, largest, seeded(t))
				if got := c.rest(); got != acks {
					t.Errorf("the gateway sent %q, want %q", got, acks)
				}
				p.exit(0)
				sink.holds(t, kept...)
				if text, err := os.ReadFile(dead); err != nil || len(text) > 0 {
					t.Errorf("dead letters: %d bytes, %v; want none", len(text), err)
				}
				if lines, messages := p.skippedLogged(); messages != 4 || lines > 4 {
					t.Errorf("%d lines report %d skipped messages, want 4", lines, messages)
				}
				if strings.Contains(p.stderr.String(), "protocol error") {
					t.Error("a protocol error is logged")
				}
			})
		}
	}
}

// TestOversizedMessageNeedsNoBuffer: it is longer than --memory.
func TestOversizedMessageNeedsNoBuffer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"line LF", "delim of 8", "length 4", "varint"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := framings[name]
			s := listenTCP(t)
			p := run(t, append([]string{s.url(), "--frame=" + f.flag, `--ack-template=A{n} {code}\n`, "--sink=discard:"}, oversize...)...)
			c := s.accept()
			c.send(f.encode(strings.Repeat("x", 16<<20)))
			c.send(f.encode("one"))
			if got := c.rest(); got != "A1 3\nA2 0\n" {
				t.Errorf("the gateway sent %q", got)
			}
			p.exit(0)
		})
	}
}

// TestSkippingIsLimited: more than 64 MiB without an LF are a protocol error.
func TestSkippingIsLimited(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, append([]string{s.url(), "--frame=line", `--ack-template=A{n} {code}\n`, "--sink=discard:"}, oversize...)...)
	c := s.accept()
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range 64 {
		c.send(piece)
	}
	// 64 MiB are still allowed.
	c.send([]byte("\none\n"))
	c.expect("A1 3\nA2 0\n")
	for range 64 {
		c.send(piece)
	}
	c.send([]byte("x"))
	if got := c.untilEnd(); got != "" {
		t.Errorf("the gateway sent %q", got)
	}
	c = s.accept()
	p.protocolErrors(1, "too_large")
	c.rest()
	p.exit(0)
}

// TestOversizedAckQuotesNothing: it has {n} and {code}, and other placeholders are empty.
func TestOversizedAckQuotesNothing(t *testing.T) {
	t.Parallel()
	for _, dispatch := range []string{"--dispatch=spread", "--dispatch=key"} {
		t.Run(dispatch, func(t *testing.T) {
			t.Parallel()
			args := append([]string{dispatch, "--frame=line", `--ack-template={n} {code} {json:id} {bytes:0:1} {field:1:,}.\n`,
				"--sink=discard:"}, oversize...)
			if dispatch == "--dispatch=key" {
				args = append(args, "--key=json:id", "--workers=2")
			}
			s := listenTCP(t)
			p := run(t, append(args, s.url())...)
			c := s.accept()
			c.send([]byte(`{"id":7}` + "\n" + `{"id":8,"x":"` + strings.Repeat("x", 2000) + `"}` + "\n" + `{"id":9}` + "\n"))
			if got, want := c.rest(), "1 0 7 { {\"id\":7}.\n2 3   .\n3 0 9 { {\"id\":9}.\n"; got != want {
				t.Errorf("the gateway sent %q, want %q", got, want)
			}
			p.exit(0)
		})
	}
}

// TestOversizedWithoutCodeGetsNoAck: an ack without {code} could not show the refusal.
func TestOversizedWithoutCodeGetsNoAck(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, append([]string{s.url(), "--frame=line", `--ack-template=A{n}\n`, "--sink=discard:"}, oversize...)...)
	c := s.accept()
	c.send([]byte("one\n" + strings.Repeat("x", 2000) + "\nthree\n"))
	if got := c.rest(); got != "A1\nA3\n" {
		t.Errorf("the gateway sent %q", got)
	}
	p.exit(0)
}

// TestOversizedLogIsLimited: one line per second at most, which together report every message.
func TestOversizedLogIsLimited(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	began := time.Now()
	p := run(t, append([]string{s.url(), "--frame=line", "--ack=none", "--sink=discard:"}, oversize[:3]...)...)
	c := s.accept()
	c.send([]byte(strings.Repeat(strings.Repeat("x", 1100)+"\n", 3000)))
	eventually(t, "every message is reported", func() bool {
		_, messages := p.skippedLogged()
		return messages == 3000
	})
	if lines, _ := p.skippedLogged(); lines > 2+int(time.Since(began)/time.Second) {
		t.Errorf("%d lines in %v", lines, time.Since(began))
	}
	c.close()
	p.stop()
}

// TestOversizedWebSocketMessagesAreSkipped: in one frame or in fragments, with a ping in between.
// The refusal has the type of the message.
func TestOversizedWebSocketMessagesAreSkipped(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	ln := listen(t, 0)
	p := run(t, append([]string{"ws://" + ln.Addr().String() + "/", "--ack-template=A{n} {code}", sink.flag()}, oversize...)...)
	c := acceptWS(t, ln, "")
	c.send(wsFinal|wsText, "one")
	c.expect(wsText, "A1 0")
	c.send(wsFinal|wsText, strings.Repeat("x", 1025))
	c.expect(wsText, "A2 3")
	c.send(wsFinal|wsBinary, strings.Repeat("x", 16<<20))
	c.expect(wsBinary, "A3 3")
	c.send(wsText, strings.Repeat("x", 1000))
	c.send(wsContinuation, strings.Repeat("y", 25))
	c.send(wsFinal|wsPing, "are you there")
	c.expect(wsPong, "are you there")
	c.send(wsContinuation, "")
	c.send(wsFinal|wsContinuation, strings.Repeat("z", 100_000))
	c.expect(wsText, "A4 3")
	c.send(wsFinal|wsBinary, strings.Repeat("b", 1024))
	c.expect(wsBinary, "A5 0")
	c.leave()
	p.exit(0)
	sink.holds(t, "one", strings.Repeat("b", 1024))
	if _, messages := p.skippedLogged(); messages != 3 {
		t.Errorf("%d skipped messages are logged, want 3", messages)
	}
}

// TestWebSocketFragmentsAreUnlimited: except empty ones.
func TestWebSocketFragmentsAreUnlimited(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	ln := listen(t, 0)
	p := run(t, "ws://"+ln.Addr().String()+"/", "--ack-template=A{n}", "--workers=1", "--exit-on-close", sink.flag())
	c := acceptWS(t, ln, "")
	stream := wsFrame(wsBinary, "a")
	stream = append(stream, bytes.Repeat(wsFrame(wsContinuation, "b"), 65_535)...)
	c.sendBytes(append(stream, wsFrame(wsFinal|wsContinuation, "c")...))
	c.expect(wsBinary, "A1")
	c.leave()
	p.exit(0)
	sink.holds(t, "a"+strings.Repeat("b", 65_535)+"c")
}

// TestOversizedPartRefusesItsRequest: a request with a skipped part is incomplete. Other requests
// are unaffected.
func TestOversizedPartRefusesItsRequest(t *testing.T) {
	t.Parallel()
	frames := map[string]func(string) []byte{
		"line":          func(m string) []byte { return []byte(m + "\n") },
		"length:size=4": func(m string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(m))), m...) },
	}
	for frame, encode := range frames {
		t.Run(frame, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			s := listenTCP(t)
			p := run(t, s.url(), "--frame="+frame, `--ack-template={json:id}:{n}:{code}\n`, "--workers=1", "--exit-on-close",
				"--max-message=1KiB", "--memory=64KiB", "--assemble=json:id,complete,data", sink.flag())
			c := s.accept()
			long := strings.Repeat("x", 5000)
			var stream []byte
			for _, m := range []string{
				`{"id":"a","data":"a1"}`,
				`{"id":"b","data":"b1"}`,
				`{"data":"` + long + `","id":"a"}`, // refused
				`{"id":"a","data":"a3","complete":true}`,
				`{"id":"c","data":"` + long + `"}`, // refused
				`{"id":"c","data":"c2","complete":true}`,
				`{"id":"b","data":"b2","complete":true}`,
				`{"id":"a","data":"anew","complete":true}`,
				long, // refused by itself
			} {
				stream = append(stream, encode(m)...)
			}
			c.sendPieces(stream, 700, seeded(t))
			if got, want := c.rest(), ":3:3\n:5:3\nb:7:0\na:8:0\n:9:3\n"; !sameLines(got, strings.Split(strings.TrimSuffix(want, "\n"), "\n")) {
				t.Errorf("the gateway sent %q, want %q in any order", got, want)
			}
			p.exit(0)
			got := assembled(t, sink)
			if len(got) != 2 || got[0]["data"] != "b1b2" || got[1]["data"] != "anew" {
				t.Errorf("the file holds %v", got)
			}
		})
	}
}
