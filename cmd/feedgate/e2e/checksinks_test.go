package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCheckLooksAtSinks: without writing.
func TestCheckLooksAtSinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("there"), []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("plain"), []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for sink, want := range map[string]string{
		"file:" + in("new"):                      "ok: --sink file:" + in("new") + ": is not there yet; it can be created; ",
		"file:" + in("there"):                    "ok: --sink file:" + in("there") + ": can be appended to; it has 4 bytes; ",
		"file:" + in("none/new"):                 "failed: --sink file:" + in("none/new") + ": its directory: ",
		"file:" + in("there/new"):                "failed: --sink file:" + in("there/new") + ": ",
		"file:" + dir:                            "failed: --sink file:" + dir + ": ",
		"file:/dev/null":                         "failed: --sink file:/dev/null: ",
		"exec:sh -c 'cat >&2'":                   "ok: --sink exec:sh: /",
		"exec:A=b exec sh s3cret":                "ok: --sink exec:exec: /",
		"exec:" + in("none") + " --token s3cret": "failed: --sink exec:" + in("none") + ": its program cannot be executed: ",
		"exec:" + in("plain"):                    "failed: --sink exec:" + in("plain") + ": its program cannot be executed: ",
		"exec:if true; then cat; fi":             "ok: --sink exec:if: its program is known to the shell only",
		"http://127.0.0.1:1/in?token=s3cret":     "failed: --sink http://127.0.0.1:1/in: 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused; see the host and port",
		"stdout:":                                "ok: --sink stdout:: standard output is open",
	} {
		t.Run(sink, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := startCheck(t, s.url(), "--frame=line", "--sink="+sink, "--dead-letter=file:"+in("none/dead"))
			s.accept().untilEnd()
			lines := p.findings(1)
			if len(lines) != 3 || !strings.HasPrefix(lines[1], want) || !strings.HasPrefix(lines[2], "failed: --dead-letter file:"+in("none/dead")+": its directory: ") {
				t.Errorf("%q, want %q", lines, want)
			}
			if strings.Contains(p.stdout.String(), "s3cret") {
				t.Errorf("the output has the secret:\n%s", p.stdout)
			}
		})
	}
}

// TestCheckTakesNoMessage: the ledger of a feed has no ack, and no fault of the protocol.
func TestCheckTakesNoMessage(t *testing.T) {
	t.Parallel()
	for protocol, c := range map[string]struct {
		url  string
		args []string
	}{
		"fg":   {"fg://ADDR", nil},
		"line": {"tcp://ADDR", []string{"--frame=line", `--ack-template=A{n}\n`}},
		"ws":   {"ws://ADDR/", []string{"--ack-template=A{n}"}},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			address := freshAddress()
			feed := start(t, launch{args: []string{"feed", "--listen=" + address, "--protocol=" + protocol, "--count=1000", "--json"}})
			feed.waitLog("listening on")
			url := strings.ReplaceAll(c.url, "ADDR", address)
			startCheck(t, append(c.args, url)...).finding(0, "ok: ", ": connected to "+address)
			feed.waitLog("connection ended")
			_ = feed.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, as its sessions have
			feed.status(patience)
			var ledger struct {
				Total struct {
					Connections, Acknowledged, Refused, Early, Unknown int
					ProtocolErrors                                     int `json:"protocol_errors"`
				}
			}
			if err := json.Unmarshal([]byte(feed.stdout.String()), &ledger); err != nil {
				t.Fatalf("%v in %s", err, feed.stdout)
			}
			got := ledger.Total
			if got.Connections != 1 || got.Acknowledged+got.Refused+got.Early+got.Unknown+got.ProtocolErrors > 0 {
				t.Errorf("the feed counts %+v", got)
			}
		})
	}
}
