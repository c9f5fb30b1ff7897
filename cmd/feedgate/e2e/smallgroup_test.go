package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallGroup is the memory of a small container.
const smallGroup = 64 << 20

// TestDefaultsInASmallControlGroup: with default settings, and a feed that sends as fast as it can,
// a gateway needs no more than 64 MiB. The long form takes a minute per case.
func TestDefaultsInASmallControlGroup(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1 << 10, 1 << 20} {
		for _, sink := range []string{"discard", "slow", "file"} {
			t.Run(fmt.Sprint(size, " bytes, ", sink), func(t *testing.T) {
				t.Parallel()
				testSmallGroup(t, size, sink)
			})
		}
	}
}

func testSmallGroup(t *testing.T, size int, sink string) {
	limit := smallGroup * int(raceFactor())
	group := newMemoryGroup(t, limit)
	path := filepath.Join(t.TempDir(), "out")
	flag := map[string]string{
		"discard": "discard:", "slow": "spin:50us", "file": "file:" + path + "?frame=length",
	}[sink]
	if strings.HasPrefix(flag, "file:") && inMemory(t, path) {
		t.Skip("the temporary directory is in memory, which would count towards the limit; see TMPDIR")
	}
	feed := freshAddress()
	start(t, launch{args: []string{"feed", "--listen=" + feed, fmt.Sprint("--size=", size)}}).waitLog("listening")
	p := runWith(t, launch{sink: true, args: []string{"fg://" + feed, "--sink=" + flag}, through: group.through()})

	span, least := time.Minute, 128e6 // bytes; an earlier version that had a file's groups on the heap failed after 40e6
	if testing.Short() {
		span = 2 * time.Second
	}
	if raceBuild || sink == "slow" {
		least /= 10
	}
	began, removed := time.Now(), time.Now()
	var got float64
	for time.Since(began) < span || got*float64(size) < least {
		if !p.running() {
			t.Fatalf("ended after %v and %.0f messages; the OOM killer has killed %d processes", time.Since(began), got, group.kills())
		}
		if time.Since(began) > span+2*patience {
			t.Fatalf("%.0f messages in %v", got, time.Since(began))
		}
		got = 0
		for _, s := range p.scrape() {
			if s.name == "feedgate_messages_total" {
				got += s.value
			}
		}
		if time.Since(removed) > 200*time.Millisecond { // otherwise it would fill the disk
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			removed = time.Now()
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("%.0f messages in %v", got, time.Since(began))
	p.signal(syscall.SIGTERM)
	p.exit(0)
	if n := group.kills(); n > 0 {
		t.Errorf("the OOM killer has killed %d processes", n)
	}
	if want := fmt.Sprint("memory=", limit/4); !raceBuild && !strings.Contains(p.stderr.String(), want) {
		t.Errorf("%q is not in the log:\n%s", want, p.stderr.String())
	}
}

// inMemory reports whether the file system of path is in memory.
func inMemory(t *testing.T, path string) bool {
	t.Helper()
	const tmpfs, ramfs = 0x01021994, 0x858458f6 // statfs(2)
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Type) == tmpfs || uint32(st.Type) == ramfs
}
