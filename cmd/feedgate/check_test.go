package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/wire/nsq/nsqfake"
	"feedgate/worker/credential"
)

// parseCheck parses a command line of check without faults.
func parseCheck(t *testing.T, args ...string) (commandLine, *globals) {
	t.Helper()
	g := &globals{settings: newSettings()}
	line, err := parse(append([]string{"check"}, args...), g)
	if err != nil || len(g.settings.faults) > 0 {
		t.Fatalf("%q: %v %v", args, err, g.settings.faults)
	}
	return line, g
}

// TestCheckPrintsEveryFlag: each flag of run, set to a value, is loaded again with that value.
func TestCheckPrintsEveryFlag(t *testing.T) {
	var args []string
	for _, flag := range runFlags {
		value := flag.value
		if value == "" && flag.name != "config" && len(flag.bad) > 0 {
			value = flag.bad[0] // what is wrong with it is found later
		}
		if value != "" && flag.name != "config" {
			args = append(args, "--"+flag.name+"="+value)
		}
	}
	line, g := parseCheck(t, append(args, "--ws-header=Accept: a, b")...)
	y := &settingsYAML{masks: new(credential.Masks)}
	flags := line.context.Selected().Flags
	for _, flag := range flags {
		if flag.Name != "help" && flag.Name != "config" && !onCommandLineOnly(flag) && g.settings.given(flag.Name) {
			y.given(flag, func(int) string { return "flag" })
		}
	}
	again, _ := parseCheck(t, "--config="+file(t, "c.yaml", y.text.String()))
	for i, flag := range again.context.Selected().Flags {
		if want := flags[i].Target.Interface(); flag.Name != "config" && !reflect.DeepEqual(flag.Target.Interface(), want) {
			t.Errorf("--%s: %v, not %v, in\n%s", flag.Name, flag.Target, want, y.text.String())
		}
	}
}

// TestQuotedTexts: any text is loaded as it was.
func TestQuotedTexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(rapid.String(), rapid.StringMatching(`["'\\{}:#%&*!|>\-\n\t \x00-\x1f\x{80}-\x{a0}a]*`)).Draw(t, "text")
		if !utf8.ValidString(want) {
			t.Skip("not UTF-8")
		}
		text := "hello: " + quoted(want) + " # origin\nws-header:\n  - " + quoted(want) + " # origin\n  - \"b\" # origin\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newSettings()
		if err := s.load(path, map[string]bool{"hello": false, "ws-header": true}); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if got := s.file["hello"].text; got != want {
			t.Fatalf("%q, not %q", got, want)
		}
		if got := s.file["ws-header"].list; !reflect.DeepEqual(got, []any{want, "b"}) {
			t.Fatalf("%q, not %q", got, want)
		}
	})
}

// TestCheckDiscovers: the servers of a URL without hosts are found and connected, without a subscription.
func TestCheckDiscovers(t *testing.T) {
	lookup, up := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	const down = "127.0.0.1:1"
	for _, c := range []struct {
		listed []string
		fails  bool
		status int
		want   []string
	}{
		{[]string{up.Addr()}, false, 0, []string{"ok: nsq:///t/c: connected to " + up.Addr() + ", NSQ V2, login accepted, SUB was not sent\n"}},
		{[]string{up.Addr(), down}, false, 1, []string{"ok: nsq:///t/c: connected to " + up.Addr(), "failed: nsq:///t/c: connect to " + down + ": "}},
		{nil, false, 1, []string{"failed: nsq:///t/c: "}},
		{nil, true, 1, []string{"failed: nsq:///t/c: "}},
	} {
		lookup.List(c.listed...)
		lookup.Fail(c.fails)
		var stdout, stderr bytes.Buffer
		args := []string{"check", "--connect", "nsq:///t/c", "--nsqlookupd=" + lookup.Addr(), "--sink=discard:"}
		if status := run(args, &stdout, &stderr); status != c.status {
			t.Errorf("%q: status %d", c.listed, status)
		}
		for _, want := range c.want {
			if strings.Count(stdout.String(), "\n"+want) != 1 {
				t.Errorf("%q: %q is not once in\n%s%s", c.listed, want, stdout.String(), stderr.String())
			}
		}
	}
	if all := up.Subscriptions(); len(all) > 0 {
		t.Errorf("subscriptions %q", all)
	}
}

// TestCheckOutputFails: if standard output takes no more, the settings are not known to be in order.
func TestCheckOutputFails(t *testing.T) {
	for _, mode := range []string{"--print", "--connect"} {
		var stderr bytes.Buffer
		status := run([]string{"check", "fg://127.0.0.1:1", "--sink=discard:", mode}, fullOutput{}, &stderr)
		if status != cli.ExitFailure || !strings.Contains(stderr.String(), "standard output: full") {
			t.Errorf("%s: status %d, %s", mode, status, stderr.String())
		}
	}
}

type fullOutput struct{}

func (fullOutput) Write([]byte) (int, error) { return 0, fmt.Errorf("full") }
