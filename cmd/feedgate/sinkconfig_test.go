package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/docs/examples/post"
	"feedgate/gateway/tlstest"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
	"feedgate/worker/testkit"
)

// withPost replaces the sinks that are servers by one that has a flag of its own, for a test.
func withPost(t *testing.T) {
	t.Helper()
	before := sinks
	isServer := func(k sink.Kind) bool { return flagset.Has(k.Flags, sink.ServerFlags{}) }
	sinks = append(slices.DeleteFunc(slices.Clone(sinks), isServer), post.Kind)
	t.Cleanup(func() { sinks = before })
}

// TestSinkFlags: one line in the registry adds a sink's flags, their group in the help and their faults.
func TestSinkFlags(t *testing.T) {
	withPost(t)
	secret := file(t, "password", "s3cret\x00")
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{"--post-type: goes with post:// and post+tls://, not with discard:", []string{"--sink=discard:", "--post-type=a/b"}},
		{"--sink-user: goes with post:// and post+tls://, not with exec:, file:", []string{"--sink=exec:cat", "--dead-letter=file:x", "--sink-user=me"}},
		{"--sink-ca: post:// has no TLS; use post+tls://, or leave it out", []string{"--sink=post://a", "--sink-ca=x"}},
		{"--sink-ca: open ", []string{"--sink=post+tls://a", "--sink-ca=/nonexistent"}},
		{"--sink-key: missing; --sink-cert needs it", []string{"--sink=post+tls://a", "--sink-cert=x"}},
		{"--sink-password-file: open ", []string{"--sink=post://a", "--sink-password-file=/nonexistent"}},
		{"--sink-password-file: a control byte", []string{"--sink=post://a", "--sink-password-file=" + secret}},
		{"--post-type: a line break", []string{"--sink=post://a", "--post-type=a\nb"}},
		{`--sink "post://a,b": not a sink: want one host`, []string{"--sink=post://a,b"}},
	} {
		stderr := checkUsage(t, c.want, append([]string{"run", "fg://a:1", badAdmin}, c.flags...)...)
		if strings.Contains(stderr, "s3cret") {
			t.Errorf("%q: the secret is in %s", c.flags, stderr)
		}
	}

	var stdout, stderr bytes.Buffer
	if status := run([]string{"run", "--help"}, &stdout, &stderr); status != cli.ExitOK {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{"\nFor sinks that are servers (post):\n  --sink-user", "\nSink post:\n  --post-type", "TLS is 1.2 or later, and always verified"} {
		if !strings.Contains(strings.Join(strings.Fields(stdout.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is not in the help", want)
		}
	}
}

// TestSinkCredentials: a sink's configuration has the credentials that the environment, the file and
// the command line name, and SIGHUP rereads them.
func TestSinkCredentials(t *testing.T) {
	withPost(t)
	right, wrong := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	password := file(t, "password", "first\n")
	t.Setenv("FEEDGATE_SINK_CA", wrong.File)
	c, g := mustParseRun(t, "fg://a:1", "--sink=post+tls://127.0.0.1:1", "--sink-user=me",
		"--config="+file(t, "c.yaml", "sink-password-file: "+password+"\n"))
	secrets, _, err := c.check()
	if err != nil {
		t.Fatal(err)
	}
	var log testkit.Log
	u := &upstreams{log: log.Logger(), sink: &sink.Sink{}}
	cfg := c.sinkConfig(g, u, secrets)
	if cfg.User != "me" || string(cfg.Password.Bytes()) != "first" || cfg.Flags != c.sinkFlags {
		t.Errorf("user %q, password %q", cfg.User, cfg.Password.Bytes())
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", right.Server())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go acceptAll(ln)
	if _, err := cfg.TLS.Dial(t.Context(), "tcp", ln.Addr().String()); err == nil {
		t.Error("an unknown authority was trusted")
	}

	g.hangups = catchSignals([]string{"run"}).hangups
	r := c.reloader(u, secrets, g)
	r.start()
	defer r.stop()
	ca, err := os.ReadFile(right.File)
	if err != nil {
		t.Fatal(err)
	}
	for path, contents := range map[string]string{wrong.File: string(ca), password: "second\r\n"} {
		if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hangup(t)
	awaitLog(t, &log, "flag=--sink-ca")
	awaitLog(t, &log, "flag=--sink-password-file")
	if got := string(cfg.Password.Bytes()); got != "second" {
		t.Errorf("password %q after SIGHUP", got)
	}
	conn, err := cfg.TLS.Dial(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// acceptAll takes the server's part of each handshake.
func acceptAll(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1))
		}()
	}
}

// TestSinkIsDenied: if the sink's server refuses the settings, the process ends with status 1 and names
// the fault, before an upstream is connected.
func TestSinkIsDenied(t *testing.T) {
	before := sinks
	t.Cleanup(func() { sinks = before })
	sinks = append(slices.Clone(sinks), sink.Kind{
		Schemes: []string{"topic"}, Form: "topic:",
		Parse: func(sink.URL, *flagset.Flags) (sink.Target, error) {
			return sink.Target{Open: func(cfg *sink.Config) (*sink.Sink, error) {
				return kit.Open(kit.Config{
					Connect: func(context.Context) error { return fmt.Errorf("%w: no such topic", kit.ErrDenied) },
					Open:    func(*kit.Sink, int) (kit.Client, error) { return nil, errors.New("not used") },
				}, cfg), nil
			}}, nil
		},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := run([]string{"run", "fg://" + ln.Addr().String(), "--sink=topic:", "--admin="}, &stdout, &stderr)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if status != cli.ExitFailure || !strings.Contains(stderr.String(), "feedgate: --sink: denied: no such topic\n") || strings.Contains(stderr.String(), "msg=connected") {
		t.Errorf("status %d, standard error\n%s", status, stderr.String())
	}
}
