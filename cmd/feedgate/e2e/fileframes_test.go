package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// framed encodes messages as ?frame=length.
func framed(messages ...string) string {
	var b []byte
	for _, m := range messages {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(m))), m...)
	}
	return string(b)
}

// record is one line of ?frame=json.
type record struct {
	Seq    uint64  `json:"seq"`
	ID     *string `json:"id"`
	Data   *string `json:"data"`
	Data64 *string `json:"data64"`
}

// checkRecords checks that text has one line of JSON per message, numbered from first.
func checkRecords(t *testing.T, text string, first uint64, messages ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != len(messages) || !strings.HasSuffix(text, "\n") {
		t.Fatalf("%d lines for %d messages: %q", len(lines), len(messages), text)
	}
	for i, line := range lines {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got := ""
		switch {
		case r.Data != nil && r.Data64 == nil:
			got = *r.Data
		case r.Data == nil && r.Data64 != nil:
			b, err := base64.StdEncoding.DecodeString(*r.Data64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = string(b)
		}
		if got != messages[i] || r.ID == nil || *r.ID != "" || r.Seq != first+uint64(i) {
			t.Errorf("line %q, want message %q with number %d", line, messages[i], first+uint64(i))
		}
	}
}

// framedMessages are messages that could be ambiguous in one of the framings.
var framedMessages = []string{"plain", "two\nlines", "", `"quoted\"`, "\x00\x01\x1f\x7f", "\u2028\u2029\u0085", "\xff\xfe", "\u00e9\U0001F600"}

// TestSinkFramings: both sinks write every framing correctly. Only frame=line is ambiguous, and warns.
func TestSinkFramings(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{"line", "length", "json"} {
		for _, scheme := range []string{"stdout", "file"} {
			t.Run(scheme+" "+frame, func(t *testing.T) {
				t.Parallel()
				sink := newFileSink(t)
				url := "stdout:?frame=" + frame
				if scheme == "file" {
					url = "file:" + sink.path + "?frame=" + frame
				}
				s := listenFG(t)
				p := run(t, s.url(), "--exit-on-close", "--workers=1", "--sink="+url)
				c := s.accept()
				c.welcome(41, "{}")
				for i, m := range framedMessages {
					c.send(data(41+uint64(i), m))
				}
				c.acks(len(framedMessages))
				c.finish(0, 0)
				p.exit(0)
				got := p.stdout.String()
				if scheme == "file" {
					got = sink.text(t)
				}
				switch frame {
				case "line":
					if want := strings.Join(framedMessages, "\n") + "\n"; got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				case "length":
					if want := framed(framedMessages...); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				case "json":
					checkRecords(t, got, 41, framedMessages...)
				}
				warned := strings.Count(p.stderr.String(), "contains LF")
				if want := map[string]int{"line": 1}[frame]; warned != want {
					t.Errorf("%d warnings of LF in a message, want %d", warned, want)
				}
			})
		}
	}
}

// TestRecordsAreNumberedByArrival: if the protocol has no numbers, seq is the arrival number on the
// connection.
func TestRecordsAreNumberedByArrival(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", "--exit-on-close", "--workers=1", "--sink=stdout:?frame=json")
	c := s.accept()
	c.send([]byte("a\nb\nc\n"))
	c.rest()
	p.exit(0)
	checkRecords(t, p.stdout.String(), 1, "a", "b", "c")
}

// TestDeadLettersAreFramed: dead letters have their boundaries and numbers.
func TestDeadLettersAreFramed(t *testing.T) {
	t.Parallel()
	messages := []string{"code=1 first", "code=1 second\nline", "code=1"}
	for _, frame := range []string{"length", "json"} {
		t.Run(frame, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "refused")
			p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", newChildren(t).sink(t), "--dead-letter=file:"+path+"?frame="+frame)
			c.send(data(1, "code=0 done"))
			c.acked(1)
			for i, m := range messages {
				c.send(data(2+uint64(i), m))
			}
			for seq, code := range c.acks(len(messages)) {
				if code != 7 {
					t.Errorf("message %d was acknowledged with code %d, want 7", seq, code)
				}
			}
			c.finish(0, 0)
			p.exit(0)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if frame == "json" {
				checkRecords(t, string(text), 2, messages...)
			} else if want := framed(messages...); string(text) != want {
				t.Errorf("got %q, want %q", text, want)
			}
		})
	}
}

// TestDeadLetterWithLFWarnsOnce: and names --dead-letter.
func TestDeadLetterWithLFWarnsOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "refused")
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", newChildren(t).sink(t), "--dead-letter=file:"+path)
	for seq := uint64(1); seq <= 5; seq++ {
		c.send(data(seq, "code=1\nline"))
		c.acks(1)
	}
	c.finish(0, 0)
	p.exit(0)
	log := p.stderr.String()
	if strings.Count(log, "contains LF") != 1 || !strings.Contains(log, "flag=--dead-letter") {
		t.Error("not one warning that names the flag")
	}
}

// TestSinkURLFaultsAreUsageErrors: they name the flag.
func TestSinkURLFaultsAreUsageErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, query := range []string{"frame=xml", "frame", "frame=", "frames=json", "frame=json&sync=1", "frame=json&frame=json", "frame=json&frame=line", ""} {
		path := fmt.Sprintf("%s/%d", dir, i)
		for _, args := range [][]string{
			{"--sink=stdout:?" + query},
			{"--sink=file:" + path + "?" + query},
			{"--sink=discard:", "--dead-letter=file:" + path + "?" + query},
		} {
			got := command(t, nil, append([]string{"run", "fg://127.0.0.1:1", "--admin="}, args...)...)
			last := args[len(args)-1]
			flag, _, _ := strings.Cut(last, "=")
			if got.status != 2 || !strings.HasPrefix(got.stderr, "feedgate: "+flag) {
				t.Fatalf("%s: status %d, %q; want 2 and the flag", last, got.status, got.stderr)
			}
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("files were created: %v, %v", files, err)
	}
}

// TestSinkPathsHaveEscapes: %3F is a question mark.
func TestSinkPathsHaveEscapes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--sink=file:"+dir+"/50% %25 what%3F?frame=length")
	c.send(data(1, "m"))
	c.acked(1)
	c.finish(0, 0)
	p.exit(0)
	if got, err := os.ReadFile(dir + "/50% % what?"); err != nil || string(got) != framed("m") {
		t.Errorf("got %q, %v", got, err)
	}
}
