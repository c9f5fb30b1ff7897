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

// maxBinary is how long the product's binary may be, in bytes.
const maxBinary = 24 << 20

// foreignModules are of plots, fonts, PDF, and of subjects of bench and servers of tests.
var foreignModules = regexp.MustCompile(`plot|font|freetype|x/image|x/text|pdf|latex|svg|sbinet|websocket|gws|nsq|toxiproxy`)

// released are the binaries that make build makes.
func released(t *testing.T) (feedgate, bench string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := os.Stat(filepath.Join(root, "Makefile")); err != nil { // see watchSources
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-C", root, "build", "BIN="+dir)
	for _, v := range os.Environ() { // those of a make that runs the tests
		if !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "feedgate"), filepath.Join(dir, "feedgate-bench")
}

// TestReleasedBinaries: the product contains the product alone, and needs no file to run.
func TestReleasedBinaries(t *testing.T) {
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

// checkStatic sees that neither an interpreter nor a library is loaded, and that symbols are
// kept, for profiles and traces of the kernel.
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

// checkModules sees what go version -m lists.
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

// runInEmptyRoot runs the binary where no other file is.
func runInEmptyRoot(t *testing.T, path string) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: that feedgate runs in an empty root: chroot takes root")
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
