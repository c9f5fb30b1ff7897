package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway/tlstest"
)

func parseFeed(t *testing.T, args ...string) *feedCmd {
	t.Helper()
	line, err := parse(append([]string{"feed"}, args...), &globals{stdout: io.Discard, stderr: io.Discard, settings: newSettings()})
	if err != nil {
		t.Fatal(err)
	}
	return &line.commands.Feed
}

// TestFeedConfig: every flag sets its field, checked with a different value for each.
func TestFeedConfig(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	c := parseFeed(t, "--listen=h:1", "--protocol=line", "--count=2", "--duration=13s", "--size=3KiB", "--rate=0.5", "--replay=f",
		"--clients=4", "--more=5", "--fragment=14", "--batch=6", "--window=7", "--chaos=reset=0.25", "--seed=8",
		"--token-file="+file(t, "token", "s3cret\n"), "--acks=range", "--ignore-hello-seq",
		"--tls-cert="+cert, "--tls-key="+key, "--tls-client-ca="+ca.File, "--tls-max=1.2",
		"--heartbeat=9s", "--idle-timeout=10s", "--session-timeout=11s", "--drain-timeout=12s")
	got, err := c.config(&globals{stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	want := feedserver.Config{
		Listen: "h:1", Protocol: "line", Count: 2, Duration: 13 * time.Second, Size: 3 << 10, Rate: 0.5, Replay: "f",
		Clients: 4, Parts: 5, Fragment: 14, Batch: 6, Window: 7, Chaos: feedserver.Chaos{Reset: 0.25}, Seed: 8,
		Token: []byte("s3cret"), Acks: []string{"range"}, IgnoreHelloSeq: true,
		Heartbeat: 9 * time.Second, IdleTimeout: 10 * time.Second, SessionTimeout: 11 * time.Second, DrainTimeout: 12 * time.Second,
		Log: slog.Default(),
	}
	if c := got.TLS; c == nil || len(c.Certificates) != 1 || c.ClientCAs == nil || c.ClientAuth != tls.RequireAndVerifyClientCert ||
		c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS12 {
		t.Errorf("TLS is %+v", c)
	}
	got.Log, want.TLS = want.Log, got.TLS
	if !reflect.DeepEqual(got, want) {
		t.Errorf("config\n%+v\nnot\n%+v", got, want)
	}
	set := reflect.ValueOf(got)
	for i := range set.NumField() {
		if set.Field(i).IsZero() && set.Type().Field(i).Name != "Payloads" { // for benchmarks
			t.Errorf("no flag sets %s", set.Type().Field(i).Name)
		}
	}
	for flag, want := range map[string]int64{"--count=0": feedserver.Endless, "--seed=1": 0} {
		if got, err := parseFeed(t, flag).config(&globals{stderr: io.Discard}); err != nil || got.Count != want {
			t.Errorf("%s: count %d, %v; want %d", flag, got.Count, err, want)
		}
	}
}

// TestFeedUsage: every fault is printed once, and the exit status is 2.
func TestFeedUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--protocol=tcp"}, {"--count=-1"}, {"--chaos=reset=2"}, {"--replay=/nonexistent/log"}, {"--rate=x"}, {"--size=0"}, {"--duration=-1s"},
		{"--more=2", "--protocol=line"}, {"--token-file=/nonexistent/token"},
		{"--fragment=2"}, {"--fragment=2", "--protocol=line"}, {"--fragment=1000000", "--protocol=ws"}, {"--more=2", "--protocol=ws"},
		{"--tls-cert=/nonexistent/cert", "--tls-key=/nonexistent/key"},
		{"--listen=x", "--protocol=tcp", "--chaos=x,y", "--count=-1", "--acks=all"},
	} {
		var stderr strings.Builder
		if status := run(append([]string{"feed"}, args...), io.Discard, &stderr); status != cli.ExitUsage {
			t.Errorf("%q: status %d", args, status)
		}
		for _, arg := range args {
			flag, _, _ := strings.Cut(arg, "=")
			if protocol := arg == "--protocol=line" || arg == "--protocol=ws"; strings.Count(stderr.String(), "feedgate: "+flag+": ") == 0 != protocol {
				t.Errorf("%q: no fault of %s in\n%s", args, flag, stderr.String())
			}
		}
		if strings.Count(stderr.String(), "--count: ") > 1 || !strings.HasSuffix(stderr.String(), "feedgate: see feedgate feed --help\n") {
			t.Errorf("%q: standard error\n%s", args, stderr.String())
		}
	}
}

// TestFeedHints: the error of a flag of another protocol names the right flag, and that of an
// incomplete set of TLS flags the missing one.
func TestFeedHints(t *testing.T) {
	for want, args := range map[string][]string{
		"--fragment: for ws only; use --more":                 {"--fragment=2"},
		"--more: for fg only; use --fragment":                 {"--more=2", "--protocol=ws"},
		"--tls-key: missing; --tls-cert needs it":             {"--tls-cert=x"},
		"--tls-cert: missing; --tls-key needs it":             {"--tls-key=x"},
		"--tls-cert: missing; the other --tls- flags need it": {"--tls-client-ca=x"},
		"--tls-max: \"1.0\" is not 1.1, 1.2 or 1.3":           {"--tls-max=1.0"},
		"--tls-client-ca: open /nonexistent/ca: no such file": {"--tls-client-ca=/nonexistent/ca"},
		"--protocol: \"tcp\" is unknown; choose one of fg,":   {"--protocol=tcp"},
	} {
		var stderr strings.Builder
		if status := run(append([]string{"feed"}, args...), io.Discard, &stderr); status != cli.ExitUsage || !strings.Contains(stderr.String(), "feedgate: "+want) {
			t.Errorf("%q: status %d, standard error\n%s", args, status, stderr.String())
		}
	}
}

// feedProcess starts a feed with --protocol line and connects to it.
func feedProcess(t *testing.T, args ...string) (*process, net.Conn) {
	t.Helper()
	args = append([]string{"feed", "--listen=127.0.0.1:0", "--protocol=line", "--json"}, args...)
	p := start(t, "\n", args...)
	p.await("the address", p.stderr.seen)
	line, _, _ := strings.Cut(p.stderr.String(), "\n")
	addr, found := strings.CutPrefix(line, "listening on ")
	if !found {
		t.Fatalf("standard error begins %q", line)
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return p, nc
}

func (p *process) feedReport() (r feedserver.Report) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		p.t.Errorf("%v in standard output\n%s", err, p.stdout)
	}
	return r
}

// TestFeedStatus: the exit status depends on whether all messages are acknowledged.
func TestFeedStatus(t *testing.T) {
	for missing, want := range []int{cli.ExitOK, cli.ExitFailure} {
		p, nc := feedProcess(t, "--count=100")
		if _, err := io.Copy(io.Discard, nc); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 100-missing; n++ {
			fmt.Fprintf(nc, "A%d\n", n)
		}
		nc.Close()
		if status := p.status(); status != want {
			t.Errorf("status %d, want %d", status, want)
		}
		r := p.feedReport()
		if len(r.Clients) != 1 || r.Total.Sent != 100 || r.Total.Missing != uint64(missing) {
			t.Errorf("report %+v", r)
		}
		if printed := strings.Contains(p.stderr.String(), "feedgate: wrong acks: 1 missing"); printed != (missing > 0) {
			t.Errorf("standard error\n%s", p.stderr)
		}
	}
}

// TestFeedDuration: --duration ends an endless feed.
func TestFeedDuration(t *testing.T) {
	p, nc := feedProcess(t, "--rate=1000", "--duration=50ms", "--count=0")
	lines := bufio.NewScanner(nc)
	got := uint64(0)
	for lines.Scan() {
		got++
		fmt.Fprintf(nc, "A%d\n", got)
	}
	nc.Close()
	if status := p.status(); status != cli.ExitOK {
		t.Errorf("status %d", status)
	}
	if r := p.feedReport(); got == 0 || r.Total.Sent != got || r.Total.Acknowledged != got || r.Total.Unsent != 0 {
		t.Errorf("%d lines, report %+v", got, r)
	}
}

// TestFeedSignal: SIGTERM ends an endless feed, which waits for its acks.
func TestFeedSignal(t *testing.T) {
	p, nc := feedProcess(t, "--rate=1000")
	lines := bufio.NewScanner(nc)
	for n := 1; lines.Scan(); n++ {
		fmt.Fprintf(nc, "A%d\n", n)
		if n == 10 {
			p.signal(syscall.SIGTERM)
		}
	}
	nc.Close()
	if status := p.status(); status != cli.ExitOK {
		t.Errorf("status %d", status)
	}
	if r := p.feedReport(); r.Total.Sent < 10 || r.Total.Missing != 0 {
		t.Errorf("report %+v", r)
	}
}

// TestFeedSecondSignal: after the second signal, the feed does not wait for acks.
func TestFeedSecondSignal(t *testing.T) {
	p, nc := feedProcess(t, "--rate=1000", "--drain-timeout=1h")
	lines := bufio.NewScanner(nc)
	lines.Scan()
	p.signal(syscall.SIGTERM)
	for lines.Scan() { // ends with the stream, after the first signal
	}
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != cli.ExitFailure {
		t.Errorf("status %d", status)
	}
	if r := p.feedReport(); r.Total.Missing == 0 {
		t.Errorf("report %+v", r)
	}
}
