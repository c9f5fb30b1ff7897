package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGnetVariables: what the environment sets for gnet's logger neither ends feedgate nor
// makes it write anything, anywhere.
func TestGnetVariables(t *testing.T) {
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

// TestGnetVariablesReachChildren as the user set them.
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
		t.Errorf("the child saw %q, %v", text, err)
	}
}

// TestGnetIsInitialisedAfterItsEnvironmentIsHidden: by Go's order of initialisation, which
// a new import of the package that hides it, or a new module path, would change.
func TestGnetIsInitialisedAfterItsEnvironmentIsHidden(t *testing.T) {
	t.Parallel()
	trace := command(t, []string{"GODEBUG=inittrace=1"}, "version").stderr
	order := regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(trace, -1)
	at := make(map[string]int)
	for i, m := range order {
		at[m[1]] = i + 1
	}
	ours, theirs := at["feedgate/gateway/internal/gnetenv"], at["github.com/panjf2000/gnet/v2/pkg/logging"]
	if ours == 0 || theirs == 0 || ours > theirs {
		t.Errorf("gnetenv is %d. and gnet's logger %d. of the packages initialised", ours, theirs)
	}
}
