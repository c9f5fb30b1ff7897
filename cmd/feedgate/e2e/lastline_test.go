package e2e

import (
	"strings"
	"testing"
)

// TestLastLineNeedsNoLF: at a clean end of the stream, an unfinished line is a message.
func TestLastLineNeedsNoLF(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	for name, c := range map[string]struct {
		frame, stream, acks string
		kept                []string
	}{
		"without LF":           {"line", "one\ntwo\nthree", "A1 0\nA2 0\nA3 0\n", []string{"one", "two", "three"}},
		"with LF":              {"line", "one\ntwo\n", "A1 0\nA2 0\n", []string{"one", "two"}},
		"the only one":         {"line", "one", "A1 0\n", []string{"one"}},
		"nothing":              {"line", "", "", nil},
		"CR but no LF":         {"line", "one\r\ntwo\r", "A1 0\nA2 0\n", []string{"one", "two"}},
		"over --max-message":   {"line", "one\n" + long, "A1 0\nA2 3\n", []string{"one"}},
		"an ignored prefix":    {"line", "one\n#two", "A1 0\n", []string{"one"}},
		"empty lines":          {"line", "one\n\n\r\n", "A1 0\nA2 0\nA3 0\n", []string{"one", "", ""}},
		"empty lines, skipped": {"line:skip-empty", "\n\none\n\r\n\r\ntwo\n\nthree", "A1 0\nA2 0\nA3 0\n", []string{"one", "two", "three"}},
		"a lone CR, skipped":   {"line:skip-empty", "one\n\r", "A1 0\n", []string{"one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			s := listenTCP(t)
			p := run(t, append([]string{s.url(), "--frame=" + c.frame, `--ack-template=A{n} {code}\n`, "--ignore-prefix=#",
				sink.flag()}, oversize...)...)
			conn := s.accept()
			conn.send([]byte(c.stream))
			if got := conn.rest(); got != c.acks {
				t.Errorf("the gateway sent %q, want %q", got, c.acks)
			}
			p.exit(0)
			sink.holds(t, c.kept...)
			if strings.Contains(p.stderr.String(), "truncated") {
				t.Error("the log has truncated")
			}
		})
	}
}

// TestLastLineMayCompleteARequest: an incomplete request at the end is an error.
func TestLastLineMayCompleteARequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stream, acks string
		status       int
	}{
		"completes a request": {`{"id":1,"data":"a"}` + "\n" + `{"id":1,"data":"b","complete":true}`, "1:0\n", 0},
		"after an incomplete": {`{"id":1,"data":"a"}` + "\n" + `{"id":2,"complete":true}`, "2:0\n", 1},
		"is incomplete":       {`{"id":1,"complete":true}` + "\n" + `{"id":2,"data":"a"}`, "1:0\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := run(t, s.url(), "--frame=line", `--ack-template={json:id}:{code}\n`, "--exit-on-close",
				"--assemble=json:id,complete,data", "--sink=discard:")
			conn := s.accept()
			conn.send([]byte(c.stream))
			if got := conn.rest(); got != c.acks {
				t.Errorf("the gateway sent %q, want %q", got, c.acks)
			}
			p.exit(c.status)
		})
	}
}

// TestUnfinishedLineIsTruncated: after a reset, and without --exit-on-close after any close, an
// unfinished line is no message.
func TestUnfinishedLineIsTruncated(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"reset": {"--exit-on-close"}, "close": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			s := listenTCP(t)
			p := run(t, append([]string{s.url(), "--frame=line", `--ack-template=A{n}\n`, "--workers=1", sink.flag()}, args...)...)
			c := s.accept()
			c.send([]byte("one\ntwo"))
			c.expect("A1\n") // so both were read
			if name == "reset" {
				if err := c.SetLinger(0); err != nil {
					t.Fatal(err)
				}
			}
			c.close()
			c = s.accept()
			p.protocolErrors(1, "truncated")
			c.send([]byte("three\n"))
			c.expect("A1\n")
			if name == "reset" {
				c.rest()
				p.exit(0)
			} else {
				c.close()
				p.stop()
			}
			sink.holds(t, "one", "three")
		})
	}
}
