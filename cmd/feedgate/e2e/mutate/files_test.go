package mutate

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// files is the share of tests that start a process for each mutant; see count.
const files = 50

// nowhere refuses connections.
const nowhere = "fg://127.0.0.1:1"

const stateText = `{
  "version": 1,
  "upstreams": {
    "fg://127.0.0.1:1": {
      "session": "s-1",
      "seq": 18446744073709551615
    },
    "fg://10.0.0.1:7000,127.0.0.1:1": {"session": "\u00e9", "seq": 12}
  }
}
`

// TestStateFiles: a mutated state file is accepted, or refused with an error that names the flag,
// and left unchanged.
func TestStateFiles(t *testing.T) {
	t.Parallel()
	refused := 0
	total := count(files)
	eachMutant(t, total, stateText, func(n int, path string, b []byte) {
		p := testkit.Start(t, testkit.Launch{Args: []string{nowhere, "--state=" + path, "--connect-attempts=1"}, Env: []string{"GORACE=halt_on_error=1"}})
		p.Exit(1)
		if !p.Log.Has("--state") {
			return
		}
		refused++
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, b) {
			t.Errorf("mutant %d was refused and changed to %q from %q: %v", n, left, b, err)
		}
	})
	t.Logf("%d of %d were refused", refused, total)
}

const configText = `# of a gateway
url:
  - fg://127.0.0.1:1
workers: 2
ring: 1024
ack: ordered
in-flight: 5000
max-message: 64KiB
memory: 1MiB
heartbeat: 2s
idle-timeout: 1m30s
retries: 3
retry-min: 10ms
output: '{id} {data}'
key: "json:/a/b"
dispatch: key
log-level: info
log-format: text
client-name: &name "me"
drain-timeout: 1s
exit-on-close: true
`

// TestConfigFiles: a mutated --config file is accepted, with exit status 1 because nobody listens,
// or is a usage error. Flags override the settings that would write a file or connect elsewhere.
func TestConfigFiles(t *testing.T) {
	t.Parallel()
	usage := 0
	total := count(files)
	eachMutant(t, total, configText, func(n int, path string, b []byte) {
		p := testkit.Start(t, testkit.Launch{
			Args: []string{nowhere, "--config=" + path, "--connect-attempts=1", "--reconnect-min=1ms", "--reconnect-max=1ms", "--state="},
			Env:  []string{"GORACE=halt_on_error=1"},
		})
		testkit.Eventually(t, "the end", func() bool { return !p.Running() })
		switch p.Status() {
		case 1:
		case 2:
			usage++
		default:
			t.Errorf("mutant %d ends with status %d:\n%s", n, p.Status(), b)
		}
		if p.Log.Bytes() == 0 || p.Log.Bytes() > 16<<10 {
			t.Errorf("mutant %d causes %d bytes of log", n, p.Log.Bytes())
		}
	})
	t.Logf("%d of %d were refused", usage, total)
}

// eachMutant calls try with total mutants of text, each in a file.
func eachMutant(t *testing.T, total int, text string, try func(n int, path string, b []byte)) {
	t.Helper()
	seed := testkit.Rand(t).Uint64()
	dir := t.TempDir()
	for n := *from; n < *from+total; n++ {
		d := rand.New(rand.NewPCG(seed, uint64(n)))
		m := conversation{b: []byte(text)}
		m.mutate(d, []byte(text))
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, m.b, 0o600); err != nil {
			t.Fatal(err)
		}
		try(n, path, m.b)
		if t.Failed() {
			t.Fatalf("mutant %d is %q", n, m.b)
		}
	}
}
