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

	"feedgate/cmd/feedgate/e2e/testkit"
)

// childVariable names the directory of an exec sink's children. If it is set, the test
// binary is such a child.
const childVariable = "CHAOS_CHILD"

// In the directory of the children:
const (
	journals    = "journals" // a folder; each child has a file in it, with a line per message
	slowJournal = "slow"     // the slow child's
	goFile      = "go"       // the slow child does nothing until this exists
)

const (
	fastWork = 10 * time.Microsecond
	slowWork = 1000 * fastWork
)

// runChild answers messages. The first child to start is the slow one.
func runChild(dir string) {
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func child(dir string) error {
	work, name := fastWork, fmt.Sprintf("fast-%d", os.Getpid())
	journal, err := os.OpenFile(filepath.Join(dir, journals, slowJournal), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if errors.Is(err, os.ErrExist) {
		journal, err = os.Create(filepath.Join(dir, journals, name))
	} else {
		work = slowWork
	}
	if err != nil {
		return err
	}
	defer journal.Close()
	if work == slowWork {
		testkit.AwaitFile(filepath.Join(dir, goFile))
	}
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
		if _, err := journal.Write(message); err != nil {
			return err
		}
		if _, err := out.Write([]byte{0, 0}); err != nil {
			return err
		}
	}
}

// toil sleeps if the time is long, so that other processes have the processor, and spins
// if it is too short to sleep.
func toil(d time.Duration) {
	if d >= time.Millisecond {
		time.Sleep(d)
		return
	}
	for begun := time.Now(); time.Since(begun) < d; {
	}
}
