package nsq_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"feedgate/bench"
)

// programs builds all of cmd and puts this binary beside them, as the harness's own.
func programs(t *testing.T) (self string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(testContext(t), "go", "build", "-o", dir, "./cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self = filepath.Join(dir, "harness")
	if err := os.Symlink(path, self); err != nil {
		t.Fatal(err)
	}
	return self
}

func TestEverySubjectInTheHarness(t *testing.T) {
	const count = 5000
	subjects := []string{"nsq-go-nsq", "nsq-go-nsq-tuned", "nsq-inline", "nsq-feedgate"}
	file, err := bench.Run(testContext(t), bench.Config{
		Subjects: subjects, Msgs: count, Rounds: 1, Self: programs(t),
	}, func(bench.Progress) {})
	if file == nil {
		t.Fatal(err)
	}
	for _, r := range file.Rows {
		for _, fault := range r.Faults {
			t.Errorf("%s: %s", r.Subject, fault)
		}
	}
	if err != nil || len(file.Rows) != len(subjects) {
		t.Fatalf("%d rows, %v, notes %q", len(file.Rows), err, file.Meta.Notes)
	}
	for i, r := range file.Rows {
		if r.Subject != subjects[i] || r.Protocol != "nsq" || !r.Sound() || *r.Msgs != count || *r.MsgsPerS <= 0 || *r.FeedCPUNSPerMsg <= 0 {
			t.Errorf("row %+v", r)
		}
		if r.P50US != nil || r.P99US != nil || r.P999US != nil || r.MaxUS != nil || len(r.Latency) > 0 {
			t.Errorf("%s has a latency, which nobody measures", r.Subject)
		}
	}
}
