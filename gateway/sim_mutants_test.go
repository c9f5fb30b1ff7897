package gateway

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var simMutants = flag.String("sim.mutants", "", "regular expression: TestMutants plants these bugs, by name")

// mutant is a planted bug: it replaces old, which occurs once in file, by new. The simulation must
// then fail, or the tests that instead selects, as arguments of go test; -C=DIR in front of them is the
// directory of another module.
type mutant struct{ name, file, instead, old, new string }

func readMutants(t *testing.T) []mutant {
	b, err := os.ReadFile("testdata/mutants/list.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []mutant
	for _, block := range strings.Split(string(b), "\n== ")[1:] {
		head, rest, ok := strings.Cut(block, "\n--\n")
		from, to, okTo := strings.Cut(rest, "\n++\n")
		name, where, okName := strings.Cut(head, "\n")
		if !ok || !okTo || !okName {
			t.Fatalf("not a mutant: %q", block)
		}
		file, instead, _ := strings.Cut(where, " ")
		list = append(list, mutant{name, file, instead, from, strings.TrimRight(to, "\n")})
	}
	return list
}

// overlay writes the file with the bug, and an overlay file that makes the go command use it.
func (m mutant) overlay(t *testing.T) string {
	path, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("%s has the text of %q %d times, not once", m.file, m.name, n)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	spec, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string][]byte{
		changed: []byte(strings.Replace(string(src), m.old, m.new, 1)), overlay: spec,
	} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// caughtBy finds the reason in the output of a failed run, the most informative first.
var caughtBy = []*regexp.Regexp{
	regexp.MustCompile(`seed \d+: (.*)`),
	regexp.MustCompile(`(?m)^--- FAIL: (\S+)`),
	regexp.MustCompile(`(?m)^(?:panic|fatal error): (.*)`),
}

// run tests the product with the bug. It returns how the bug was caught; empty: it was not.
func (m mutant) run(t *testing.T) string {
	args := []string{"test", "-vet=off", "-count=1", "-timeout=120s"}
	if m.instead == "" {
		args = append(args, "./gateway", "-run=^TestSimulation$", "-sim.seeds=20000")
	} else {
		args = append(append(args, "-short"), strings.Fields(m.instead)...)
	}
	if dir, ok := strings.CutPrefix(m.instead, "-C="); ok {
		dir, _, _ = strings.Cut(dir, " ")
		args = slices.DeleteFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-C=") })
		args = append([]string{"-C", dir}, args...) // it is the first, or an error
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+m.overlay(t)) // also applies to tests that build the binary
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	for _, by := range caughtBy {
		if found := by.FindSubmatch(out); found != nil {
			return string(found[1])
		}
	}
	t.Errorf("%s: %v\n%s", m.name, err, out)
	return ""
}

// TestMutants plants each bug of testdata/mutants and checks that the tests catch it.
func TestMutants(t *testing.T) {
	if *simMutants == "" {
		t.Skip("takes minutes; make mutants, or -sim.mutants=REGEXP, runs it")
	}
	which, err := regexp.Compile(*simMutants)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range readMutants(t) {
		if !which.MatchString(m.name) {
			continue
		}
		by := m.run(t)
		if by == "" {
			t.Errorf("%-70s NOT CAUGHT", m.name)
			continue
		}
		t.Logf("%-70s %s", m.name, by)
	}
}

// TestMutantsFit: the text of every planted bug still exists.
func TestMutantsFit(t *testing.T) {
	for _, m := range readMutants(t) {
		m.overlay(t)
	}
}
