package file

import (
	"bytes"
	"errors"
	"fmt"

	"pgregory.net/rapid"
)

var errFault = errors.New("input/output error")

// modelDisk is a disk with one path and a page cache with pages of one byte. It behaves as Linux in
// the worst case: a failed fsync may have written any of the dirty bytes, and marks all of them as
// clean. A rotation may act before every operation.
type modelDisk struct {
	t       *rapid.T
	now     *inode // what the path names; nil: nothing
	inodes  int
	faults  bool
	rotates bool
	empties bool

	rotated [][]byte // what the rotation has read, and removed
	aside   []byte   // what was set aside last
}

type inode struct {
	number  int
	version int64
	cache   []byte // what a reader sees
	clean   []bool // of cache: not to be written by the next fsync
	durable []byte // what is left after a crash
	safe    int    // how much of cache was reported durable
}

func (d *modelDisk) fails(what string) bool {
	d.rotate()
	return d.faults && rapid.IntRange(0, 3).Draw(d.t, what) == 0
}

// rotate may rename the file, read it and remove it, or read and truncate it, atomically.
func (d *modelDisk) rotate() {
	if d.now == nil || !d.rotates || rapid.IntRange(0, 4).Draw(d.t, "rotation") != 0 {
		return
	}
	d.rotated = append(d.rotated, bytes.Clone(d.now.cache))
	if d.empties {
		d.now.cache, d.now.clean, d.now.safe = nil, nil, 0
		d.now.version++
		return
	}
	d.now = nil
	if rapid.Bool().Draw(d.t, "the rotation makes the next file") {
		d.create()
	}
}

func (d *modelDisk) create() {
	d.inodes++
	d.now = &inode{number: d.inodes}
}

func (d *modelDisk) open(string) (file, error) {
	if d.fails("open fails") {
		return nil, errFault
	}
	if d.now == nil {
		d.create()
	}
	return &modelFile{d: d, i: d.now}, nil
}

func (d *modelDisk) names(_ string, f file) (bool, error) {
	if d.fails("stat fails") {
		return false, errFault
	}
	return f.(*modelFile).i == d.now, nil
}

func (d *modelDisk) setAside(path string, f file, from, to int64) (string, error) {
	if d.fails("setting aside fails") {
		return "", errFault
	}
	d.aside = bytes.Clone(f.(*modelFile).i.cache[from:to])
	return path, nil
}

// crash drops the page cache; some dirty bytes have reached the disk.
func (d *modelDisk) crash() {
	if d.now == nil {
		return
	}
	i := d.now
	d.writeBack(i)
	i.cache = bytes.Clone(i.durable)
	i.clean = make([]bool, len(i.cache))
	for k := range i.clean {
		i.clean[k] = true
	}
	i.version++
}

// writeBack writes some dirty bytes, and the size if one of them is past it.
func (d *modelDisk) writeBack(i *inode) {
	n := rapid.IntRange(0, len(i.cache)).Draw(d.t, "bytes that reached the disk")
	if n < len(i.durable) && len(i.cache) < len(i.durable) && rapid.Bool().Draw(d.t, "truncation reached the disk") {
		i.durable = i.durable[:len(i.cache)]
	}
	for k := range n {
		i.persist(k)
	}
}

func (i *inode) persist(k int) {
	for len(i.durable) <= k {
		i.durable = append(i.durable, 0)
	}
	if !i.clean[k] {
		i.durable[k] = i.cache[k]
	}
}

type modelFile struct {
	d      *modelDisk
	i      *inode
	closed bool
}

func (f *modelFile) use() (*modelDisk, *inode) {
	if f.closed {
		panic("a closed file is used")
	}
	return f.d, f.i
}

func (f *modelFile) ReadAt(p []byte, off int64) (int, error) {
	_, i := f.use()
	return bytes.NewReader(i.cache).ReadAt(p, off)
}

func (f *modelFile) state() (fileState, error) {
	d, i := f.use()
	d.rotate()
	return fileState{1, uint64(i.number), int64(len(i.cache)), i.version}, nil
}

func (f *modelFile) Write(p []byte) (int, error) {
	d, i := f.use()
	var err error
	if d.fails("write fails") {
		p, err = p[:rapid.IntRange(0, len(p)).Draw(d.t, "written")], errFault
		if rapid.Bool().Draw(d.t, "short without an error") && len(p) > 0 {
			p, err = p[:len(p)-1], nil
		}
	}
	i.cache = append(i.cache, p...)
	i.clean = append(i.clean, make([]bool, len(p))...)
	i.version++
	return len(p), err
}

func (f *modelFile) Truncate(size int64) error {
	d, i := f.use()
	if d.fails("truncate fails") {
		return errFault
	}
	if size > int64(len(i.cache)) {
		panic("a truncation would lengthen the file")
	}
	if size < int64(i.safe) {
		panic(fmt.Sprintf("a truncation to %d removes what was durable up to %d", size, i.safe))
	}
	i.cache, i.clean = i.cache[:size], i.clean[:size]
	i.version++
	return nil
}

func (f *modelFile) Sync() error {
	d, i := f.use()
	failed := d.fails("fsync fails")
	if failed {
		d.writeBack(i)
	} else {
		i.durable = i.durable[:min(len(i.durable), len(i.cache))]
		for k := range i.cache {
			i.persist(k)
		}
	}
	for k := range i.clean {
		i.clean[k] = true
	}
	if failed {
		return errFault
	}
	return nil
}

func (f *modelFile) Close() error {
	f.use()
	f.closed = true
	return nil
}
