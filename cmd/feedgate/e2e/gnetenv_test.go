package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGnetVariablesHaveNoEffect: settings of gnet's logger in the environment neither end feedgate
// nor make it write anything.
func TestGnetVariablesHaveNoEffect(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "gnet.log")
	for _, env := range [][]string{
		{"GNET_LOGGING_LEVEL=debug"},
		{"GNET_LOGGING_LEVEL=-1"},
		{"GNET_LOGGING_LEVEL="},
		{"GNET_LOGGING_FILE=" + log},
		{"GNET_LOGGING_FILE=/proc/nothing/there", "GNET_LOGGING_LEVEL=9999"},
		{"GNET_LOGGING_FILE=" + log, "GNET_LOGGING_LEVEL=-1"},
	} {
		got := command(t, env, "version")
		if got.status != 0 || got.stderr != "" || !strings.HasPrefix(got.stdout, "feedgate ") {
			t.Errorf("%q: status %d, standard output %q, standard error %.300q", env, got.status, got.stdout, got.stderr)
		}
		demo := command(t, env, "demo", "--duration=1s")
		if demo.status != 0 || strings.Contains(demo.stdout+demo.stderr, "gnet") {
			t.Errorf("%q: demo: status %d, standard output %q, standard error %.300q", env, demo.status, demo.stdout, demo.stderr)
		}
	}
	if exists(log) {
		t.Errorf("%s was created", log)
	}
}

// TestGnetVariablesReachChildren: unchanged.
func TestGnetVariablesReachChildren(t *testing.T) {
	t.Parallel()
	seen := filepath.Join(t.TempDir(), "seen")
	kids := newChildren(t)
	sink := strings.Replace(kids.sink(t), "exec:", "exec:printenv GNET_LOGGING_LEVEL >'"+seen+"'; ", 1)
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--workers=1", sink}, env: []string{"GNET_LOGGING_LEVEL=a=b c"}})
	c := s.accept()
	c.welcome(1, "{}")
	c.send(data(1, "one"))
	c.acks(1)
	p.stop(c)
	if text, err := os.ReadFile(seen); err != nil || string(text) != "a=b c\n" {
		t.Errorf("the child has %q, %v", text, err)
	}
}

// TestGnetIsInitialisedAfterItsEnvironmentIsHidden: this depends on Go's order of package initialization,
// which a new import in gnetenv, or a new module path, could change.
func TestGnetIsInitialisedAfterItsEnvironmentIsHidden(t *testing.T) {
	t.Parallel()
	trace := command(t, []string{"GODEBUG=inittrace=1"}, "version").stderr
	order := regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(trace, -1)
	at := make(map[string]int)
	for i, m := range order {
		at[m[1]] = i + 1
	}
	ours, theirs := at["feedgate/gateway/gnetlog/internal/gnetenv"], at["github.com/panjf2000/gnet/v2/pkg/logging"]
	if ours == 0 || theirs == 0 || ours > theirs {
		t.Errorf("gnetenv is initialized as number %d, gnet's logger as number %d", ours, theirs)
	}
	quiet, keeper := at["feedgate/gateway/gnetlog"], at["github.com/panjf2000/gnet/v2/pkg/pool/goroutine"]
	if quiet == 0 || keeper == 0 || quiet < theirs || quiet > keeper {
		t.Errorf("gnetlog is initialized as number %d, gnet's logger as number %d, its user pool/goroutine as number %d", quiet, theirs, keeper)
	}
}

// TestGnetIsSilent: gnet is the engine of feed and the poller of run. At level -1 it logs everything, and
// nothing of that reaches standard output or standard error.
func TestGnetIsSilent(t *testing.T) {
	t.Parallel()
	env := []string{"GNET_LOGGING_LEVEL=-1"}
	addr := freshAddress()
	feed := start(t, launch{env: env, args: []string{"feed", "--listen=" + addr, "--protocol=line", "--count=1000", "--log-level=debug"}})
	feed.waitLog("listening on")
	p := runWith(t, launch{env: env, sink: true, args: []string{"tcp://" + addr, "--frame=line", `--ack-template=A{n}\n`,
		"--sink=stdout:", "--exit-on-close", "--log-level=debug"}})
	p.exit(0)
	feed.exit(0)
	if lines := strings.Count(p.stdout.String(), "\n"); lines != 1000 {
		t.Errorf("%d lines of 1000", lines)
	}
	for _, text := range []string{p.stdout.String(), p.stderr.String(), feed.stdout.String(), feed.stderr.String()} {
		if strings.Contains(text, "gnet") || strings.Contains(text, "event-loop") || strings.Contains(text, "logging level") {
			t.Errorf("gnet has logged:\n%.2000s", text)
		}
	}
}

// TestGnetErrorsEndTheFeed: the feed reports why its engine has ended, which gnet only logs.
func TestGnetErrorsEndTheFeed(t *testing.T) {
	t.Parallel()
	addr := freshAddress()
	feed := start(t, launch{
		through: []string{"sh", "-c", `ulimit -n 24; exec "$0" "$@"`},
		args:    []string{"feed", "--listen=" + addr, "--protocol=line"},
	})
	feed.waitLog("listening on")
	for range 24 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break // it has ended
		}
		defer c.Close()
	}
	feed.exit(1)
	if text := feed.stderr.String(); !strings.Contains(text, "\nfeedgate: Accept() failed due to error: too many open files\n") || strings.Contains(text, "level=ERROR") {
		t.Errorf("standard error\n%s", text)
	}
}
