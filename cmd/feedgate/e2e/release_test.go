package e2e

import (
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// maxBinary is the maximum size of the product's binary in bytes. 8 MB of it are franz-go, most of them Kafka's
// requests.
const maxBinary = 36 << 20

// foreignModules match modules for plots, fonts and PDF, of bench's subjects and of test servers.
var foreignModules = regexp.MustCompile(`plot|font|freetype|x/image|x/text|pdf|latex|svg|sbinet|websocket|gws|nsq|toxiproxy`)

// released returns the binaries built by make build.
func released(t *testing.T) (feedgate, bench string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := os.Stat(filepath.Join(root, "Makefile")); err != nil { // see watchSources
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-C", root, "build", "BIN="+dir)
	for _, v := range os.Environ() { // without the variables of a make that runs the tests
		if !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "feedgate"), filepath.Join(dir, "feedgate-bench")
}

// TestReleasedBinariesAreStatic: and small. feedgate has no modules of bench, and runs in an empty root.
func TestReleasedBinariesAreStatic(t *testing.T) {
	t.Parallel()
	feedgate, bench := released(t)
	checkStatic(t, feedgate)
	checkStatic(t, bench)
	checkModules(t, feedgate)
	if info, err := os.Stat(feedgate); err != nil || info.Size() >= maxBinary {
		t.Errorf("%v, %d bytes of %d", err, info.Size(), maxBinary)
	}
	t.Run("empty root", func(t *testing.T) { runInEmptyRoot(t, feedgate) })
}

// checkStatic checks that the binary loads neither an interpreter nor libraries, and has symbols,
// for profiles and kernel traces.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP || segment.Type == elf.PT_DYNAMIC {
			t.Errorf("%s has a segment %v: it is not statically linked", path, segment.Type)
		}
	}
	if file.Section(".symtab") == nil {
		t.Errorf("%s has no symbols", path)
	}
}

// checkModules checks the modules that go version -m lists.
func checkModules(t *testing.T, path string) {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) == 0 {
		t.Error("no modules are listed")
	}
	for _, module := range info.Deps {
		if foreignModules.MatchString(module.Path) {
			t.Errorf("%s is linked", module.Path)
		}
	}
}

// runInEmptyRoot runs the binary in a root directory without other files.
func runInEmptyRoot(t *testing.T, path string) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: feedgate in an empty root: chroot requires root")
	}
	empty := t.TempDir()
	if err := os.Rename(path, filepath.Join(empty, "feedgate")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"--version", "feedgate "},
		{"demo --duration=2s", "each acknowledged exactly once"},
	} {
		cmd := exec.CommandContext(t.Context(), "/feedgate", strings.Fields(c.args)...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: empty, Pdeathsig: syscall.SIGKILL}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
}
