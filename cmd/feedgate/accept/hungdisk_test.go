package accept

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// hungDisk is a file system of one directory, served by the test through /dev/fuse, that can be
// made to hang. While it hangs no request is read: such ones can still be killed (FUSE waits
// uninterruptibly only for those that were read), so that the process under test can end.
type hungDisk struct {
	t   *testing.T
	dev int
	dir string

	mu    sync.Mutex
	free  *sync.Cond
	hangs bool
	files map[uint64]*diskFile // by inode
	names map[string]uint64
	last  uint64
}

type diskFile struct {
	mode     uint32
	contents []byte
}

// Of linux/fuse.h.
const (
	fuseLookup   = 1
	fuseForget   = 2
	fuseGetattr  = 3
	fuseSetattr  = 4
	fuseUnlink   = 10
	fuseRename   = 12
	fuseOpen     = 14
	fuseRead     = 15
	fuseWrite    = 16
	fuseRelease  = 18
	fuseFsync    = 20
	fuseInit     = 26
	fuseOpendir  = 27
	fuseReaddir  = 28
	fuseClosedir = 29
	fuseCreate   = 35
	fuseForgets  = 42
	fuseRename2  = 45

	fuseRoot       = 1
	fuseSetMode    = 1 << 0
	fuseSetSize    = 1 << 3
	fuseHeader     = 40
	fuseMinorAsked = 31
)

// mountDisk mounts the file system, or returns nil where the machine lets the test do no such
// thing: only root may, and not in every container.
func mountDisk(t *testing.T) *hungDisk {
	t.Helper()
	dev, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Logf("NOT MOUNTED: /dev/fuse: %v; TestStateDiskHangs of package gateway stands in for it", err)
		return nil
	}
	d := &hungDisk{t: t, dev: dev, dir: t.TempDir(), files: make(map[uint64]*diskFile), names: make(map[string]uint64), last: fuseRoot}
	d.free = sync.NewCond(&d.mu)
	options := fmt.Sprintf("fd=%d,rootmode=40700,user_id=%d,group_id=%d", dev, os.Getuid(), os.Getgid())
	if err := syscall.Mount("feedgate-test", d.dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		syscall.Close(dev)
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENODEV) {
			t.Logf("NOT MOUNTED: %v; TestStateDiskHangs of package gateway stands in for it", err)
			return nil
		}
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); d.serve() }()
	t.Cleanup(func() {
		d.letGo()
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
		<-ended
		syscall.Close(dev)
	})
	return d
}

// hang keeps every request waiting from the next one on.
func (d *hungDisk) hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = true
}

func (d *hungDisk) letGo() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = false
	d.free.Broadcast()
}

// holds is whether a file of the disk holds the text; the disk need not answer.
func (d *hungDisk) holds(name, text string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[d.names[name]]
	return f != nil && strings.Contains(string(f.contents), text)
}

// serve answers the kernel until the file system is unmounted.
func (d *hungDisk) serve() {
	buf := make([]byte, 1<<20)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(d.dev), Events: unix.POLLIN}}, -1)
		if err != nil && err != unix.EINTR {
			d.t.Errorf("poll /dev/fuse: %v", err)
			return
		}
		d.mu.Lock()
		for d.hangs {
			d.free.Wait()
		}
		n, err := syscall.Read(d.dev, buf)
		if err == syscall.ENODEV {
			d.mu.Unlock()
			return
		}
		if err == nil { // else the process that has asked was killed
			d.answer(buf[:n])
		}
		d.mu.Unlock()
	}
}

// answer answers one request. The caller has mu.
func (d *hungDisk) answer(request []byte) {
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	op, unique, node, body := u32(request[4:]), u64(request[8:]), u64(request[16:]), request[fuseHeader:]
	name := func(from int) string { s, _, _ := strings.Cut(string(body[from:]), "\x00"); return s }
	f := d.files[node]
	var out []byte
	errno := syscall.Errno(0)
	switch op {
	case fuseForget, fuseForgets:
		return // has no answer
	case fuseInit:
		out = make([]byte, 64)
		binary.NativeEndian.PutUint32(out[0:], 7)
		binary.NativeEndian.PutUint32(out[4:], fuseMinorAsked)
		binary.NativeEndian.PutUint32(out[20:], 1<<17) // the longest write
	case fuseLookup:
		if out = d.entry(d.names[name(0)]); out == nil {
			errno = syscall.ENOENT
		}
	case fuseGetattr:
		out = append(make([]byte, 16), d.attr(node)...)
	case fuseSetattr:
		valid := u32(body)
		if valid&fuseSetMode != 0 {
			f.mode = u32(body[68:])
		}
		if valid&fuseSetSize != 0 { // O_TRUNC
			f.contents = f.contents[:min(uint64(len(f.contents)), u64(body[16:]))]
		}
		out = append(make([]byte, 16), d.attr(node)...)
	case fuseCreate:
		d.last++
		d.files[d.last] = &diskFile{mode: syscall.S_IFREG | u32(body[4:])&0o777}
		d.names[name(16)] = d.last
		out = append(d.entry(d.last), make([]byte, 16)...)
	case fuseOpen, fuseOpendir:
		out = make([]byte, 16)
	case fuseRead:
		if at := u64(body[8:]); f != nil && at < uint64(len(f.contents)) {
			out = f.contents[at:min(uint64(len(f.contents)), at+uint64(u32(body[16:])))]
		}
	case fuseWrite:
		at, size := u64(body[8:]), u32(body[16:])
		f.contents = append(f.contents[:min(uint64(len(f.contents)), at)], body[40:40+size]...)
		out = binary.NativeEndian.AppendUint64(nil, uint64(size))
	case fuseUnlink:
		delete(d.names, name(0))
	case fuseRename, fuseRename2:
		from := 8
		if op == fuseRename2 {
			from = 16
		}
		old := name(from)
		d.names[name(from+len(old)+1)] = d.names[old]
		delete(d.names, old)
	case fuseReaddir, fuseRelease, fuseClosedir, fuseFsync: // an empty directory will do
	default: // such as FLUSH, which a process that is killed would wait for
		errno = syscall.ENOSYS
	}
	head := make([]byte, 16, 16+len(out))
	binary.NativeEndian.PutUint32(head, uint32(16+len(out)))
	binary.NativeEndian.PutUint32(head[4:], uint32(-int32(errno)))
	binary.NativeEndian.PutUint64(head[8:], unique)
	if _, err := syscall.Write(d.dev, append(head, out...)); err != nil && err != syscall.ENOENT {
		d.t.Errorf("answer to FUSE request %d: %v", op, err)
	}
}

// entry is fuse_entry_out of an inode; nil: there is none.
func (d *hungDisk) entry(node uint64) []byte {
	if d.files[node] == nil {
		return nil
	}
	out := make([]byte, 40) // which says that nothing may be cached
	binary.NativeEndian.PutUint64(out, node)
	return append(out, d.attr(node)...)
}

// attr is fuse_attr of an inode.
func (d *hungDisk) attr(node uint64) []byte {
	out := make([]byte, 88)
	mode, size := uint32(syscall.S_IFDIR|0o700), 0
	if f := d.files[node]; f != nil {
		mode, size = f.mode, len(f.contents)
	}
	binary.NativeEndian.PutUint64(out, node)
	binary.NativeEndian.PutUint64(out[8:], uint64(size))
	binary.NativeEndian.PutUint32(out[60:], mode)
	binary.NativeEndian.PutUint32(out[64:], 1)
	binary.NativeEndian.PutUint32(out[68:], uint32(os.Getuid()))
	binary.NativeEndian.PutUint32(out[72:], uint32(os.Getgid()))
	binary.NativeEndian.PutUint32(out[80:], 4096)
	return out
}
