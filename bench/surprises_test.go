package bench_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/bench"
)

// TestExecutableWithoutASlashIsAFile: it is not looked up in PATH.
func TestExecutableWithoutASlashIsAFile(t *testing.T) {
	harness := script(t, "feedgate-asio", "")
	t.Chdir(filepath.Dir(harness))
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"inline@harness"}, Msgs: 100, Rounds: 1, Self: harness,
	}, quiet)
	if err != nil || len(file.Rows) != 1 || !file.Rows[0].Sound() {
		t.Errorf("%v, %+v", err, file)
	}
}

// TestUnsentMessagesAreNoted: messages that were due, but not sent.
func TestUnsentMessagesAreNoted(t *testing.T) {
	file, err := bench.Run(t.Context(), bench.Config{
		Subjects: []string{"naive"}, Duration: 20 * time.Millisecond, Rate: 1e9, Rounds: 1, Self: self(t),
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(file.Meta.Notes, " "), "of the 20000000 messages due by --rate") {
		t.Errorf("notes %q", file.Meta.Notes)
	}
}
