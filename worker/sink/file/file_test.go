package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/frame"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

// defaultBuffer is half of the default of sink.Config.Buffer.
const defaultBuffer = 8 << 20

func fileSinkAt(t testing.TB, path string, cfg sink.Config, buffer int, d disk) *fileSink {
	t.Helper()
	sinktest.VerifyNoLeaks(t)
	s, err := newFile(path, frame.Line, sinktest.Prepare(t, cfg), buffer, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(path string) (*sink.Sink, error) {
	return sink.Registry{Kind}.Open("file:"+path, sink.Config{})
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFileAppendsLinesOfAllWorkersAndPools(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := fileSinkAt(t, path, sink.Config{}, 2000, osDisk{})
	a, b := handlertest.Start(t, s, 2, 4096), handlertest.Start(t, s, 2, 4096)
	const each = 700
	want := map[string]int{}
	for i := range each {
		for w := range 2 {
			for name, r := range map[string]*handlertest.Gateway{"a": a, "b": b} {
				line := fmt.Sprintf("%s%d %d%s", name, w, i, strings.Repeat("x", i%30))
				want[line]++
				r.Send(w, []byte(line))
			}
		}
	}
	a.Wait(2 * each)
	b.Wait(2 * each)
	if a.Refused+b.Refused != 0 {
		t.Error("messages were refused")
	}
	last := map[string]int{}
	for line := range strings.Lines(content(t, path)) {
		line = strings.TrimSuffix(line, "\n")
		if want[line]--; want[line] < 0 {
			t.Fatalf("line %q is wrong or there twice", line)
		}
		var from string
		var i int
		if _, err := fmt.Sscanf(strings.TrimRight(line, "x"), "%s %d", &from, &i); err != nil || i != last[from] {
			t.Fatalf("line %q out of order, want %d: %v", line, last[from], err)
		}
		last[from]++
	}
	for line, n := range want {
		if n != 0 {
			t.Errorf("line %q is missing", line)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	a.Stop()
	b.Stop()
}

func TestFileRefusesWhatItCannotOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	sinktest.Open(t, Kind, "file:"+path, sink.Config{})
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{path, errInUse.Error()},
		{dir, "is a directory"},
		{filepath.Join(dir, "pipe"), "not a regular file"},
		{"/dev/null", "not a regular file"},
		{filepath.Join(dir, "missing", "out"), "no such file or directory"},
	} {
		if _, err := open(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.path, err, c.want)
		}
	}
}

// faultDisk is the real disk with injected faults.
type faultDisk struct {
	osDisk
	mu    sync.Mutex
	opens int
	fault func(op string) error // called before op by the commit goroutine; nil: no fault
	tries map[string]int
}

func (d *faultDisk) set(fault func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.tries = fault, map[string]int{}
}

func (d *faultDisk) check(op string) error {
	d.mu.Lock()
	fault := d.fault
	if fault != nil {
		d.tries[op]++
	}
	d.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(op)
}

func (d *faultDisk) tried(op string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tries[op]
}

func (d *faultDisk) open(path string) (file, error) {
	if err := d.check("open"); err != nil {
		return nil, err
	}
	f, err := d.osDisk.open(path)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.opens++
	d.mu.Unlock()
	return faultFile{f.(osFile), d}, nil
}

func (d *faultDisk) names(path string, f file) (bool, error) {
	if err := d.check("names"); err != nil {
		return false, err
	}
	return d.osDisk.names(path, f.(faultFile).osFile)
}

func (d *faultDisk) setAside(path string, f file, from, to int64) (string, error) {
	if err := d.check("setAside"); err != nil {
		return "", err
	}
	return d.osDisk.setAside(path, f.(faultFile).osFile, from, to)
}

type faultFile struct {
	osFile
	d *faultDisk
}

func (f faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.d.check("read"); err != nil {
		return 0, err
	}
	return f.osFile.ReadAt(p, off)
}

func (f faultFile) Write(p []byte) (int, error) {
	if err := f.d.check("write"); err != nil {
		n, _ := f.osFile.Write(p[:len(p)/2])
		return n, err
	}
	return f.osFile.Write(p)
}

func (f faultFile) state() (fileState, error) {
	if err := f.d.check("state"); err != nil {
		return fileState{}, err
	}
	return f.osFile.state()
}

func (f faultFile) Sync() error {
	if err := f.d.check("sync"); err != nil {
		return err
	}
	return f.osFile.Sync()
}

func (f faultFile) Truncate(size int64) error {
	if err := f.d.check("truncate"); err != nil {
		return err
	}
	return f.osFile.Truncate(size)
}

// TestFileWaitsFaultsOut: while an operation fails, no message is done, Ready returns why, and the
// sink tries again and logs it once. Afterwards, the file has every message once.
func TestFileWaitsFaultsOut(t *testing.T) {
	for _, bad := range []string{"write", "sync", "write truncate", "sync truncate", "write open", "names"} {
		t.Run(bad, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			d := new(faultDisk)
			log := new(testkit.Log)
			s := fileSinkAt(t, path, sink.Config{Log: log.Tee(t)}, defaultBuffer, d)
			g := handlertest.Start(t, s, 2, 256)
			g.Send(0, []byte("before"))
			g.Wait(1)
			if s.Ready() != nil {
				t.Fatal(s.Ready())
			}
			opens := d.opens

			ops := strings.Fields(bad)
			fault := fmt.Errorf("%s: %w", bad, errFault)
			d.set(func(op string) error {
				if strings.Contains(bad, op) {
					return fault
				}
				return nil
			})
			want := "before\n"
			for i := range 20 {
				g.Send(i%2, fmt.Appendf(nil, "line %d", i))
			}
			g.WaitFor("a few tries", func() bool {
				return d.tried(ops[len(ops)-1]) >= 3 && errors.Is(s.Ready(), errFault)
			})
			g.WantResolved(1)
			if !strings.Contains(bad, "truncate") {
				testkit.Eventually(t, "cut back", func() bool { return content(t, path) == want })
			}
			d.set(nil)
			g.Wait(21)
			testkit.Eventually(t, "ready", func() bool { return s.Ready() == nil })
			g.Stop()
			got := content(t, path)
			for i := range 20 {
				if strings.Count(got, fmt.Sprintf("line %d\n", i)) != 1 {
					t.Errorf("the file does not have line %d once", i)
				}
			}
			if !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 21 || g.Refused != 0 {
				t.Errorf("got %q, %d refused", got, g.Refused)
			}
			if log.Count("cannot append") != 1 || log.Count("again") != 1 {
				t.Error("not logged once")
			}
			if bad != "names" && d.opens <= opens {
				t.Error("the file was not opened again")
			}
		})
	}
}

// TestFileFullBufferBlocksUntilTheEnd: a worker that waits for the buffer stops when the workers
// end. Its messages are neither done nor refused.
func TestFileFullBufferBlocksUntilTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	d := new(faultDisk)
	s := fileSinkAt(t, path, sink.Config{}, 100, d)
	g := handlertest.Start(t, s, 2, 256)
	d.set(func(op string) error { return errFault })
	for i := range 60 {
		g.Send(i%2, []byte("0123456789"))
	}
	buffered := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.filling.data)
	}
	g.WaitFor("a full buffer", func() bool { return s.Ready() != nil && buffered() == 99 })
	other := handlertest.Start(t, s, 1, 16)
	other.Send(0, make([]byte, 200))
	g.Stop()
	g.WantResolved(0)
	d.set(nil)
	other.Wait(1)
	if other.Refused != 0 {
		t.Error("refused")
	}
	other.Stop()
}

func TestFileLongMessageWaitsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	s := fileSinkAt(t, path, sink.Config{}, 100, new(faultDisk))
	g := handlertest.Start(t, s, 1, 256)
	total := 0
	for _, n := range []int{10, 5000, 20, 99, 100, 101, 0, 5000} {
		g.Send(0, make([]byte, n))
		total += n + 1
	}
	g.Wait(8)
	g.Stop()
	if len(content(t, path)) != total || g.Refused != 0 {
		t.Error("something is missing")
	}
}

// TestFileIsRotatedWithAnUnfinishedEnd: if the file is renamed while its unfinished end cannot be
// truncated, it stays as it is, and that is logged.
func TestFileIsRotatedWithAnUnfinishedEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	d, log := new(faultDisk), new(testkit.Log)
	s := fileSinkAt(t, path, sink.Config{Log: log.Tee(t)}, defaultBuffer, d)
	g := handlertest.Start(t, s, 1, 64)
	d.set(func(op string) error {
		if op == "names" || op == "state" {
			return nil
		}
		return errFault
	})
	g.Send(0, []byte("one"))
	g.WaitFor("tries to cut back", func() bool { return d.tried("truncate") > 2 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	g.WaitFor("tries to open", func() bool { return d.tried("open") > 2 })
	g.WantResolved(0)
	d.set(nil)
	g.Wait(1)
	g.Stop()
	if a, b := content(t, path+".1"), content(t, path); a != "on" || b != "one\n" {
		t.Errorf("got %q and %q", a, b)
	}
	if log.Count("unfinished end") != 1 || g.Refused != 0 {
		t.Error("not logged, or refused")
	}
}

func TestFileWaitsForItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out")
	s := sinktest.Open(t, Kind, "file:"+path, sink.Config{})
	g := handlertest.Start(t, s, 1, 256)
	g.Send(0, []byte("one"))
	g.Wait(1)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	g.Send(0, []byte("two"))
	g.WaitFor("the fault", func() bool { return errors.Is(s.Ready(), os.ErrNotExist) })
	g.WantResolved(1)
	if !strings.Contains(s.Ready().Error(), path) {
		t.Errorf("%v does not name the path", s.Ready())
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.Wait(2)
	g.Stop()
	if got := content(t, path); got != "two\n" {
		t.Errorf("got %q", got)
	}
}

// TestFileAtTheSizeLimit: a limit of the file size causes real short writes, without privileges.
func TestFileAtTheSizeLimit(t *testing.T) {
	if !sinktest.Alone() {
		cmd, output := sinktest.InOwnProcess(t)
		if err := cmd.Run(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	const limit = 5000
	var full unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	low := full
	low.Cur = limit
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &low); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	fillUp(t, path, limit, syscall.EFBIG, func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFileOnAFullDisk: the disk is a small tmpfs in a mount namespace of the test's own, which ends
// with the process.
func TestFileOnAFullDisk(t *testing.T) {
	if !sinktest.Alone() {
		cmd, output := sinktest.InOwnProcess(t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if uid := os.Getuid(); uid != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		}
		switch err := cmd.Run(); {
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EACCES):
			t.Logf("NOT TESTED: no mount namespace here: %v; see TestFileAtTheSizeLimit", err)
		case err != nil:
			t.Errorf("%v\n%s", err, output)
		case strings.Contains(output.String(), "NOT TESTED"):
			t.Log(output)
		}
		return
	}
	dir := t.TempDir()
	// The mount must not be visible outside of the namespace.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Logf("NOT TESTED: no private mounts: %v; see TestFileAtTheSizeLimit", err)
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("NOT TESTED: no tmpfs: %v; see TestFileAtTheSizeLimit", err)
		return
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	fillUp(t, filepath.Join(dir, "out"), 24<<10, syscall.ENOSPC, func() {
		if err := os.Truncate(ballast, 0); err != nil {
			t.Fatal(err)
		}
	})
}

// fillUp writes to a file of at most limit bytes, and then calls freeSpace.
func fillUp(t *testing.T, path string, limit int, fault error, freeSpace func()) {
	s := sinktest.Open(t, Kind, "file:"+path, sink.Config{})
	g := handlertest.Start(t, s, 2, 4096)
	total := 0
	for i := 0; total < limit*3/2; i++ {
		line := fmt.Appendf(nil, "%06d %s", i, strings.Repeat("z", 80))
		g.Send(i%2, line)
		total += len(line) + 1
	}
	g.WaitFor("the fault", func() bool { return errors.Is(s.Ready(), fault) })
	for g.Poll(50 * time.Millisecond) {
	}
	if g.Resolved >= g.Sent() || g.Refused != 0 {
		t.Errorf("%d of %d messages done, %d refused", g.Resolved, g.Sent(), g.Refused)
	}
	// Between two tries, the file has the messages that are done, and nothing else.
	testkit.Eventually(t, "cut back", func() bool { return strings.Count(content(t, path), "\n")*88 == len(content(t, path)) })
	freeSpace()
	g.Wait(g.Sent())
	g.Stop()
	seen := map[string]bool{}
	for line := range strings.Lines(content(t, path)) {
		if len(line) != 88 || seen[line] {
			t.Fatalf("line %q is incomplete or there twice", line)
		}
		seen[line] = true
	}
	if len(seen) != g.Sent() || g.Refused != 0 || s.Ready() != nil {
		t.Errorf("%d of %d lines, %d refused, %v", len(seen), g.Sent(), g.Refused, s.Ready())
	}
}

func BenchmarkFile(b *testing.B) {
	for _, size := range []int{64, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			sinktest.Benchmark(b, Kind, "file:"+filepath.Join(b.TempDir(), "out"), size)
		})
	}
}
