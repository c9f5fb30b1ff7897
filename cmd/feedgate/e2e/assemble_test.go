package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// assembled returns the messages of a file sink, each a JSON object.
func assembled(t *testing.T, sink fileSink) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(sink.text(t)) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, object)
	}
	return all
}

// TestAssemble: parts of interleaved requests are joined in order of arrival. Each request has one
// ack, made from its last part.
func TestAssemble(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--ack-template={json:id}:{json:part}:{code}\n`, "--workers=1", "--exit-on-close",
		"--assemble=json:id,complete,data", sink.flag())
	c := s.accept()
	c.send([]byte(`{"id":"a","data":"one ","part":1}
{"id":"b","data":"b","part":1,"complete":false}
{"id":"a","data":"\u0074wo ","part":2}
{"id":"a","data":"three","part":3,"complete":true,"extra":[1,2]}
{"id":"c","data":"alone","complete":true,"part":1}
{"id":"b","data":"B","part":2,"complete":true}
`))
	if got, want := c.rest(), "a:3:0\nc:1:0\nb:2:0\n"; got != want {
		t.Errorf("the gateway sent %q, want %q", got, want)
	}
	p.exit(0)
	got := assembled(t, sink)
	if len(got) != 3 {
		t.Fatalf("%d messages, want 3", len(got))
	}
	for i, want := range []string{"one two three", "alone", "bB"} {
		if got[i]["data"] != want || got[i]["complete"] != true {
			t.Errorf("message %d is %v, want data %q", i, got[i], want)
		}
	}
	if got[0]["part"] != 3.0 || got[0]["extra"] == nil {
		t.Errorf("%v is not the last part's object", got[0])
	}
}

// TestAssembleRefusesNonPartsAndLongRequests: a message that is no part gets code 2, a request that
// becomes too long code 3. Further parts of such a request are ignored until its last one.
func TestAssembleRefusesNonPartsAndLongRequests(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	s := listenTCP(t)
	p := run(t, s.url(), "--frame=line", `--ack-template={json:id}:{code}\n`, "--workers=1", "--exit-on-close",
		"--max-message=1KiB", "--memory=64KiB", "--assemble=json:id,complete,data", sink.flag())
	c := s.accept()
	c.send([]byte("not json\n"))
	c.expect(":2\n")
	c.send([]byte(`{"no":"id"}` + "\n"))
	c.expect(":2\n")
	piece := strings.Repeat("x", 600)
	c.send([]byte(`{"id":"big","data":"` + piece + `"}` + "\n" + `{"id":"big","data":"` + piece + `"}` + "\n"))
	c.expect("big:3\n")
	c.send([]byte(`{"id":"big","data":"ignored"}` + "\n" + `{"id":"big","data":"ignored","complete":true}` + "\n" +
		`{"id":"big","data":"anew","complete":true}` + "\n"))
	if got := c.rest(); got != "big:0\n" {
		t.Errorf("the gateway sent %q", got)
	}
	p.exit(0)
	if got := assembled(t, sink); len(got) != 1 || got[0]["data"] != "anew" {
		t.Errorf("the file holds %v", got)
	}
}
