package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be what the rig starts from its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-role" {
		main()
		return
	}
	// Under the race detector every process sleeps for a second at its end, so
	// that other goroutines may still report; these have none left.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func mustParse(t *testing.T, args ...string) options {
	t.Helper()
	o, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestCompareRunsEverySubjectEveryRound(t *testing.T) {
	for _, verify := range []string{"-verify=false", "-verify"} {
		o := mustParse(t, verify, "-msgs", "2000", "-size", "10", "-rounds", "2",
			"-subjects", "channels,limit,inline,batches,naive")
		var out bytes.Buffer
		if err := compare(t.Context(), o, &out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if want := "2000 messages of 10 bytes, 2 workers, 2 rounds; median (min-max)"; lines[0] != want {
			t.Errorf("head %q, want %q", lines[0], want)
		}
		lines = lines[3:]
		for i, subject := range o.subjects {
			if i >= len(lines) || !strings.HasPrefix(lines[i], subject+" ") {
				t.Fatalf("no row of %s:\n%s", subject, out.String())
			}
		}
		if !strings.HasSuffix(lines[1], "1.000 (1.000-1.000)") {
			t.Errorf("limit is not its own limit: %s", lines[1])
		}
	}
}

// script makes a product of shell commands.
func script(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "feedgate")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCompareReportsASubjectThatFails(t *testing.T) {
	for _, c := range []struct{ name, binary, timeout, want string }{
		{"not there", filepath.Join(t.TempDir(), "none"), "20s", "no such file"},
		{"exit status", script(t, "echo broken >&2; exit 3"), "20s", "broken"},
		{"never connects", script(t, "exit 0"), "300ms", "deadline"},
		{"does not end", script(t, "exec sleep 60"), "300ms", "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := mustParse(t, "-msgs", "10", "-subjects", "feedgate", "-feedgate", c.binary, "-timeout", c.timeout)
			err := compare(t.Context(), o, new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestCompareReportsWhatTheServerSays(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := startServer(self, mustParse(t, "-msgs", "10", "-verify"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.stop(); err != nil {
			t.Error(err)
		}
	}()
	c, err := net.Dial("tcp", srv.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-srv.reports; r.Err == "" {
		t.Errorf("of a client that went away: %+v", r)
	}
}

func TestCommandOfTheProduct(t *testing.T) {
	o := mustParse(t, "-workers", "3", "-feedgate-flags", "--flush-pack 1  --ring 1024")
	got := strings.Join(command("self", "127.0.0.1:1", product, o), "|")
	want := "bin/feedgate|run|fg://127.0.0.1:1|--exit-on-close|--workers|3|--admin||--sink|discard:|--flush-pack|1|--ring|1024"
	if got != want {
		t.Errorf("command %s\nwant    %s", got, want)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"-subjects", "limit,unknown"}, {"-subjects", "limit,limit"}, {"-subjects", ""}, {"-msgs", "0"}, {"-workers", "0"},
		{"-rounds", "0"}, {"-size", "-1"}, {"-size", "2000000"}, {"-role", "feedgate"}, {"more"},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestSpread(t *testing.T) {
	rs := []run{{rate: 4}, {rate: 1}, {rate: 3}, {rate: 10}}
	rate := func(r run) float64 { return r.rate }
	if got, want := spread(rs, 1, rate), "3.5 (1.0-10.0)"; got != want {
		t.Errorf("of 4: %s, want %s", got, want)
	}
	if got, want := spread(rs[:3], 0, rate), "3 (1-4)"; got != want {
		t.Errorf("of 3: %s, want %s", got, want)
	}
}
