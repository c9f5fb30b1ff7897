package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/docs/examples/toylog"
	"feedgate/docs/examples/toylog/toylogtest"
)

// withToylog adds the sink toylog to the registry for a test: the last step of docs/adding-a-sink.md.
func withToylog(t *testing.T) {
	t.Helper()
	before := sinks
	sinks = append(slices.Clone(sinks), toylog.Kind)
	t.Cleanup(func() { sinks = before })
}

// TestToylog: with one line in the registry, the messages of a feed are stored on the sink's server, in
// order by key, and acknowledged.
func TestToylog(t *testing.T) {
	withToylog(t)
	const messages, keys = 5000, 20
	var lines bytes.Buffer
	for i := range messages {
		fmt.Fprintf(&lines, "%d-%d\n", i%keys, i/keys)
	}
	server, url := serve(t, feedserver.Config{Replay: file(t, "lines", lines.String())})
	n := 0
	l := toylogtest.Log{Answer: func(toylogtest.Message) toylogtest.Answer {
		if n++; n%1000 == 0 {
			return toylogtest.Reset
		}
		return toylogtest.Stored
	}}
	host := l.Listen(t, "127.0.0.1:0")
	var stdout, stderr bytes.Buffer
	status := run([]string{
		"run", url, "--exit-on-close", "--admin=", "--workers=3", "--dispatch=key", "--key=field:1:-",
		"--sink=toylog://" + host.Addr + "/orders?batch=50", "--toylog-timeout=1m",
		"--sink-user=me", "--sink-password-file=" + file(t, "password", "s3cret\n"),
	}, &stdout, &stderr)
	if status != cli.ExitOK {
		t.Fatalf("status %d, standard error\n%s", status, stderr.String())
	}
	if c := result(t, server); c.Acknowledged != messages || c.Refused != 0 {
		t.Errorf("%d acknowledged, %d refused", c.Acknowledged, c.Refused)
	}
	next := make(map[string]int)
	for _, m := range l.Stored() {
		if want := fmt.Sprintf("%s-%d", m.Key, next[m.Key]); m.Data == want {
			next[m.Key]++
		} else if again := fmt.Sprintf("%s-%d", m.Key, next[m.Key]-1); m.Data != again {
			t.Fatalf("stored %q with the key %q, want %q", m.Data, m.Key, want)
		}
	}
	for key, n := range next {
		if n != messages/keys {
			t.Errorf("%d of the key %q are stored", n, key)
		}
	}
	if batch := slices.Max(l.Batches()); len(next) != keys || batch < 2 || batch > 50 {
		t.Errorf("%d keys, batches of up to %d", len(next), batch)
	}
	if login := l.Logins()[0]; login != "orders me s3cret" || strings.Contains(stderr.String(), "s3cret") {
		t.Errorf("login %q, standard error\n%s", login, stderr.String())
	}
}

// TestToylogFaults: faults of its URL and flags end the process with status 2, those of its server with
// status 1.
func TestToylogFaults(t *testing.T) {
	l := toylogtest.Log{Login: func(string, string, string) string { return "DENIED no such stream" }}
	host := l.Listen(t, "127.0.0.1:0")
	url := "toylog://" + host.Addr + "/orders"
	checkUsage(t, "--sink", "run", "fg://a:1", badAdmin, "--sink="+url) // it is not in the product

	withToylog(t)
	var help, none bytes.Buffer
	if status := run([]string{"run", "--help"}, &help, &none); status != cli.ExitOK || !strings.Contains(help.String(), "\nSink toylog:\n  --toylog-timeout=D") {
		t.Errorf("status %d, standard output\n%s", status, help.String())
	}
	for want, flags := range map[string][]string{
		"--sink \"" + url + "\": not a sink: batch=0 is not a number": {"--sink=" + url + "?batch=0"},
		"--toylog-timeout: goes with toylog":                          {"--sink=discard:", "--toylog-timeout=1s"},
		"--toylog-timeout: -1s is negative":                           {"--sink=" + url, "--toylog-timeout=-1s"},
		"--sink-user: a space":                                        {"--sink=" + url, "--sink-user=a b"},
		"--sink-password-file: a space":                               {"--sink=" + url, "--sink-password-file=" + file(t, "password", "a b")},
		"--sink-ca: toylog:// has no TLS; us":                         {"--sink=" + url, "--sink-ca=x"},
	} {
		checkUsage(t, want, append([]string{"run", "fg://a:1", badAdmin}, flags...)...)
	}

	_, upstream := serve(t, feedserver.Config{Count: 10})
	var stdout, stderr bytes.Buffer
	status := run([]string{"run", upstream, "--sink=" + url, "--admin="}, &stdout, &stderr)
	if status != cli.ExitFailure || !strings.Contains(stderr.String(), "no such stream") || strings.Contains(stderr.String(), "msg=connected") {
		t.Errorf("status %d, standard error\n%s", status, stderr.String())
	}
}
