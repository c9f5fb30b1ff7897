package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/toy"
	"feedgate/gateway/wire/toy/toytest"
)

// withToy adds the protocol toy to the registry for a test: the last step of
// docs/adding-a-protocol.md.
func withToy(t *testing.T) {
	product := protocols
	t.Cleanup(func() { protocols = product })
	protocols = append(slices.Clone(product), &toy.Scheme)
}

// TestProtocolIsOneLine: one line in the registry adds a protocol's URLs, flags, environment variables,
// metadata and help.
func TestProtocolIsOneLine(t *testing.T) {
	withToy(t)
	t.Setenv("FEEDGATE_TOY_CREDIT", "2")
	server := toytest.Start(t, toytest.Config{
		Channel: "orders", Token: "s3cret", Window: 100, Limit: 2,
		Messages: []toytest.Message{{ID: 70, Topic: "a", Data: "one"}, {ID: 60, Topic: "b", Data: "two"}, {ID: 50, Topic: "a", Data: "three"}},
	})
	in := filepath.Join(t.TempDir(), "in")
	var stdout, stderr bytes.Buffer
	status := run([]string{
		"run", "toy://" + server.Addr() + "/orders", "--sink=file:" + in, "--token-file", file(t, "token", "s3cret\n"),
		"--dispatch=key", "--key=meta:topic", "--output={id} {meta:topic} {data}", "--workers=1",
		"--exit-on-close", "--admin=", "--maxprocs=runtime",
	}, &stdout, &stderr)
	text, err := os.ReadFile(in)
	if want := "70 a one\n60 b two\n50 a three\n"; status != cli.ExitOK || string(text) != want || err != nil {
		t.Errorf("status %d, %q, %v; standard error\n%s", status, text, err, stderr.String())
	}
	if r := server.Report(); r.Fault != nil || !slices.Equal(r.Codes, []uint16{0, 0, 0}) {
		t.Errorf("acks %d, fault %v", r.Codes, r.Fault)
	}

	checkToy(t)
	checkUsage(t, "--toy-credit: it must be at least 1", "run", "--sink=discard:", "toy://a/c", badAdmin, "--toy-credit=-1")
	checkUsage(t, "--toy-credit: goes with toy://", "run", "--sink=discard:", "fg://a:1", badAdmin, "--toy-credit=3")
	checkUsage(t, "toy://a: upstream URL: the channel is missing", "run", "--sink=discard:", "toy://a", badAdmin)

	stdout.Reset()
	if status := run([]string{"run", "--help"}, &stdout, &stderr); status != cli.ExitOK {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"(HOST:PORT/CHANNEL)", "toy+tls", "Scheme toy:", "--toy-credit=N", "topic, id"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("not in the help: %s\n%s", want, stdout.String())
		}
	}
}

// checkToy: check logs in, and takes no message, without a line of code in toy.
func checkToy(t *testing.T) {
	server := toytest.Start(t, toytest.Config{Channel: "orders", Token: "s3cret", Window: 100, Limit: 2, Messages: []toytest.Message{{Data: "one"}}})
	check := func(secret string, want string, wantStatus int) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		url := "toy://" + server.Addr() + "/orders"
		status := run([]string{"check", url, "--sink=discard:", "--connect", "--token-file", file(t, "token", secret)}, &stdout, &stderr)
		if want := "\n" + strings.NewReplacer("URL", url, "ADDR", server.Addr()).Replace(want) + "\n"; status != wantStatus || !strings.Contains(stdout.String(), want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout.String(), stderr.String())
		}
	}
	check("wrong", "failed: URL: ADDR: frame R: the server refused the login (login)", cli.ExitFailure)
	check("s3cret", "ok: URL: connected to ADDR, TOY/1, login accepted", cli.ExitOK)
}

// TestProductHasNoToy: the product does not contain the example.
func TestProductHasNoToy(t *testing.T) {
	isToy := func(s *wire.Scheme) bool { return s == &toy.Scheme }
	if slices.ContainsFunc(protocols, isToy) {
		t.Error("the product lists toy")
	}
	p := start(t, "\x00", "run", "--sink=discard:", "toy://a/c")
	if status := p.status(); status != cli.ExitUsage {
		t.Errorf("status %d", status)
	}
}
