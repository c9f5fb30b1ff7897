package feed

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// childVariable names the directory that a child of an exec sink notes its messages
// in. The test binary is that child when the variable is set.
const childVariable = "CHAOS_CHILD"

const (
	fastWork = 10 * time.Microsecond
	slowWork = 1000 * fastWork
)

// runChild answers messages. The first child to come is the slow one.
func runChild(dir string) {
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func child(dir string) error {
	work, name := fastWork, fmt.Sprintf("fast-%d", os.Getpid())
	claim, err := os.OpenFile(filepath.Join(dir, "slow"), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if errors.Is(err, os.ErrExist) {
		claim, err = os.Create(filepath.Join(dir, name))
	} else {
		work = slowWork
	}
	if err != nil {
		return err
	}
	defer claim.Close()
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	message := make([]byte, digits+1)
	message[digits] = '\n'
	for {
		if in.Buffered() == 0 || work == slowWork {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err != nil {
			if errors.Is(err, io.EOF) {
				return out.Flush()
			}
			return err
		}
		if length != digits {
			return fmt.Errorf("a message of %d bytes", length)
		}
		if _, err := io.ReadFull(in, message[:digits]); err != nil {
			return err
		}
		toil(work)
		if _, err := claim.Write(message); err != nil {
			return err
		}
		if _, err := out.Write([]byte{0, 0}); err != nil {
			return err
		}
	}
}

// toil takes its time; a sleep is not that short, and the long one must not cost the
// others their processor.
func toil(d time.Duration) {
	if d >= time.Millisecond {
		time.Sleep(d)
		return
	}
	for begun := time.Now(); time.Since(begun) < d; {
	}
}
