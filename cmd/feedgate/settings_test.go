package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
	"feedgate/gateway/wire/framed"
	"feedgate/gateway/wire/nsq"
	"feedgate/gateway/wire/ws"
	"feedgate/worker/flagset"
)

// parseRun parses a command line of run, with the environment of this process.
func parseRun(t *testing.T, args ...string) (*runCmd, *globals, error) {
	t.Helper()
	g := &globals{stdout: io.Discard, stderr: io.Discard, settings: newSettings()}
	line, err := parse(append([]string{"run"}, args...), g)
	return &line.commands.Run, g, err
}

// mustParseRun is parseRun for a valid command line.
func mustParseRun(t *testing.T, args ...string) (*runCmd, *globals) {
	t.Helper()
	c, g, err := parseRun(t, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return c, g
}

// file writes a file into a new directory and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		flag                       string
		def, file, env, line       any
		fileText, envText, lineArg string
		read                       func(*runCmd) any
	}{
		{
			flag: "ring", def: cli.Count(0), file: cli.Count(16), env: cli.Count(32), line: cli.Count(64),
			fileText: "16", envText: "32", lineArg: "64",
			read: func(c *runCmd) any { return c.Ring },
		},
		{
			flag: "memory", def: cli.Size(0), file: cli.Size(8 << 30), env: cli.Size(9 << 10), line: cli.Size(10),
			fileText: "8GiB", envText: "9KiB", lineArg: "10",
			read: func(c *runCmd) any { return c.Memory },
		},
		{
			flag: "idle-timeout", def: offTimeout(0), file: offTimeout(gateway.NoTimeout), env: offTimeout(time.Hour), line: offTimeout(time.Second),
			fileText: "0", envText: "1h", lineArg: "1s",
			read: func(c *runCmd) any { return c.IdleTimeout },
		},
		{
			flag: "exit-on-close", def: false, file: true, env: false, line: true,
			fileText: "true", envText: "false", lineArg: "true",
			read: func(c *runCmd) any { return c.ExitOnClose },
		},
		{
			flag: "admin", def: "127.0.0.1:4190", file: ":1", env: "", line: ":3",
			fileText: `":1"`, envText: "", lineArg: ":3",
			read: func(c *runCmd) any { return c.Admin },
		},
		{
			flag: "log-level", def: "info", file: "warn", env: "error", line: "debug",
			fileText: "warn", envText: "error", lineArg: "debug",
			read: func(c *runCmd) any { return c.LogLevel },
		},
		{
			flag: "in-flight", def: cli.Count(0), file: cli.Count(1), env: cli.Count(2), line: cli.Count(3),
			fileText: "1", envText: "2", lineArg: "3",
			read: func(c *runCmd) any { return c.InFlight },
		},
		{
			flag: "client-name", def: "", file: "007", env: "no", line: "x y",
			fileText: "007", envText: "no", lineArg: "x y", // YAML has its own idea of 007 and no
			read: func(c *runCmd) any { return c.ClientName },
		},
	} {
		t.Run(c.flag, func(t *testing.T) {
			check := func(what string, want any, origin string, args ...string) {
				t.Helper()
				cmd, g := mustParseRun(t, args...)
				if got := c.read(cmd); got != want {
					t.Errorf("%s: %v, not %v", what, got, want)
				}
				if got := g.settings.Origin(c.flag); got != origin {
					t.Errorf("%s: set by %q, not %q", what, got, origin)
				}
			}
			path := file(t, "c.yaml", "# a comment\n"+c.flag+": "+c.fileText+"\n")
			config, flag := "--config="+path, "--"+c.flag+"="+c.lineArg
			check("default", c.def, "")
			check("file", c.file, path+":2", config)
			check("line over file", c.line, "", config, flag)
			t.Setenv(cli.EnvName(c.flag), c.envText)
			check("env", c.env, cli.EnvName(c.flag))
			check("env over file", c.env, cli.EnvName(c.flag), config)
			check("line over all", c.line, "", config, flag)
		})
	}
}

func TestEnvName(t *testing.T) {
	if got := cli.EnvName("in-flight"); got != "FEEDGATE_IN_FLIGHT" {
		t.Error(got)
	}
}

func TestConfigByEnv(t *testing.T) {
	t.Setenv("FEEDGATE_CONFIG", file(t, "env.yaml", "ring: 16\n"))
	if c, _ := mustParseRun(t); c.Ring != 16 {
		t.Errorf("ring %d", c.Ring)
	}
	other := file(t, "flag.yaml", "ring: 32\n")
	if c, _ := mustParseRun(t, "--config", other); c.Ring != 32 {
		t.Errorf("ring %d", c.Ring)
	}
}

func first(urls, _ []string) []string { return urls }

func TestURLsOfFile(t *testing.T) {
	for text, want := range map[string]string{
		"url: fg://a:1,b:2\n":              "fg://a:1,b:2",
		"url: [fg://a:1, 'tcp://b:2']\n":   "fg://a:1 tcp://b:2",
		"url:\n  - fg://a:1\n  - fg://b\n": "fg://a:1 fg://b",
		"ring: 8\n":                        "",
		"url: []\n":                        "",
	} {
		_, g := mustParseRun(t, "--config", file(t, "c.yaml", text))
		if got := strings.Join(first(g.settings.upstreams()), " "); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}

// TestListsOfFile: repeatable flags are lists in the file.
func TestListsOfFile(t *testing.T) {
	c, _ := mustParseRun(t, "--config", file(t, "c.yaml",
		"ws-header:\n  - 'A: b, c'\n  - 'D: e'\nnsqlookupd: [a:1, 'b:2']\n"))
	if got := strings.Join(flagset.Of[ws.Flags](c.flags).Headers, "; ") + "; " + strings.Join(flagset.Of[nsq.LookupFlags](c.flags).Lookupd, "; "); got != "A: b, c; D: e; a:1; b:2" {
		t.Errorf("lists %q", got)
	}
	for _, text := range []string{"ring: [8]\n", "ws-header: [[a]]\n"} {
		if _, _, err := parseRun(t, "--config", file(t, "c.yaml", text)); err == nil || !strings.Contains(err.Error(), "c.yaml:1") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestTextsOfFile(t *testing.T) {
	path := file(t, "c.yaml", "hello: \"LOGIN\\n\"\n"+
		"ack-template: 'A{n}\\n'\n"+
		"heartbeat-template: |-\n  two\n  lines\n"+
		"key: field:1:,\n"+
		"dispatch: !!str key\n")
	_, _, err := parseRun(t, "--config", path)
	if err == nil || !strings.Contains(err.Error(), path+":7: key dispatch: tag") {
		t.Errorf("error %v", err)
	}
	text, _ := os.ReadFile(path)
	path = file(t, "c.yaml", strings.Replace(string(text), "!!str ", "", 1))
	c, _ := mustParseRun(t, "--config", path)
	sent := flagset.Of[framed.Flags](c.flags)
	got := []string{sent.Hello, sent.AckTemplate, sent.HeartbeatTemplate, c.Key, c.Dispatch}
	want := []string{"LOGIN\n", `A{n}\n`, "two\nlines", "field:1:,", "key"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, not %q", got[i], want[i])
		}
	}
}

// TestFaultsOfFile: a fault in the file ends the process with status 2 and an error that names file and
// line.
func TestFaultsOfFile(t *testing.T) {
	for _, c := range []struct {
		text  string
		wants []string // FILE stands for the path
	}{
		{"rign: 3\n", []string{`feedgate: --config: FILE:1: unknown key "rign"`}},
		{"\nring: 8\n\nfoo: 1\nbar: 2\n", []string{`FILE:4: unknown key "foo"`, `FILE:5: unknown key "bar"`}},
		{"config: x\n", []string{`FILE:1: unknown key "config"`}},
		{"help: true\n", []string{`FILE:1: unknown key "help"`}},
		{"--ring: 8\n", []string{`FILE:1: unknown key "--ring"`}},
		{"? [a]\n: b\n", []string{"FILE:2: "}},
		{"base: &b 1\n", []string{`unknown key "base"`}},
		{"ring: &b 8\nworkers: *b\n", []string{"FILE:1: key ring: ", "FILE:2: key workers: "}},
		{"ring:\n", []string{`FILE:1: key ring: no value`}},
		{"ring: [8]\n", []string{"FILE:1: key ring: sequence"}},
		{"ring: {a: 1}\n", []string{"FILE:1: key ring: mapping"}},
		{"url: [{a: 1}]\n", []string{"FILE:1: key url: mapping"}},
		{"ring: 8\nring: 16\n", []string{"FILE:2: "}},
		{"ring: [8\n", []string{"FILE:1: "}},
		{"- ring\n", []string{"FILE: not a mapping"}},
		{"ring\n", []string{"FILE: not a mapping"}},
		{"ring: 8\n---\nring: 8\n", []string{"FILE: more than one"}},
		{"ring: x\n", []string{`feedgate: --ring: "x" is not a whole number (set by FILE:1)`}},
		{"log-level: loud\n", []string{"feedgate: --log-level must be one of", "(set by FILE:1)"}},
	} {
		path := file(t, "c.yaml", c.text)
		var stdout, stderr bytes.Buffer
		if status := run([]string{"run", "--sink=discard:", "fg://a:1", "--config", path}, &stdout, &stderr); status != cli.ExitUsage {
			t.Errorf("%q: status %d", c.text, status)
		}
		for _, want := range append(c.wants, "\nfeedgate: see feedgate run --help\n") {
			if want = strings.ReplaceAll(want, "FILE", path); !strings.Contains(stderr.String(), want) {
				t.Errorf("%q: no %q in\n%s", c.text, want, stderr.String())
			}
		}
		if stdout.Len() > 0 {
			t.Errorf("%q: standard output %q", c.text, stdout.String())
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		_, _, err := parseRun(t, "--config", path)
		if err == nil || !strings.HasPrefix(err.Error(), "--config: ") || !strings.Contains(err.Error(), path) || !cli.IsUsage(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n"} {
		if _, _, err := parseRun(t, "--config", file(t, "c.yaml", text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBadVariables(t *testing.T) {
	t.Setenv("FEEDGATE_MEMORY", "64MB")
	var stdout, stderr bytes.Buffer
	if status := run([]string{"run", "--sink=discard:", "fg://a:1"}, &stdout, &stderr); status != cli.ExitUsage {
		t.Errorf("status %d", status)
	}
	const want = `feedgate: --memory: "64MB" is not a size; write bytes, or KiB, MiB, GiB as in 64MiB (set by FEEDGATE_MEMORY)` + "\n"
	if !strings.HasPrefix(stderr.String(), want) {
		t.Errorf("%s", stderr.String())
	}
	// A variable that the command line overrides need not be valid.
	if c, _ := mustParseRun(t, "--memory", "1MiB"); c.Memory != 1<<20 {
		t.Errorf("memory %d", c.Memory)
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add([]byte("ring: 8\nurl: [a, b]\nhello: |\n  x\n"))
	f.Add([]byte("a: &x 1\nb: *x\n<<: {c: d}\n"))
	f.Add([]byte("? k\n: v\n---\n..."))
	f.Add([]byte("hello: [a, 'b c', 3]\nring: [1]\n"))
	path := filepath.Join(f.TempDir(), "c.yaml")
	known := map[string]bool{"ring": false, "hello": true, "k": false}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s := newSettings()
		if err := s.load(path, known); err == nil {
			for key := range s.file {
				if _, ok := known[key]; !ok {
					t.Errorf("unknown key %q was accepted", key)
				}
			}
		}
	})
}
