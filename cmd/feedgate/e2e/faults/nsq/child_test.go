package nsq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// childVariable names the directory of an exec sink's children, which are the test binary:
// their script, and a file for what they were given.
const childVariable = "FAULTS_CHILD"

const (
	scriptFile  = "script"
	journalFile = "journal"
)

// script is how children work.
type script struct {
	first, again time.Duration // that a message takes which has come for the first time, or later
	code         uint16        // of the first time
}

// children prepares an exec sink, and returns its flag and the ledger of what they got.
func children(t *testing.T, s script) (flag string, got *testkit.Ledger) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("%d %d %d", s.first, s.again, s.code)
	if err := os.WriteFile(filepath.Join(dir, scriptFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got = testkit.NewLedger(t, filepath.Join(dir, journalFile), 0)
	return fmt.Sprintf("--sink=exec:exec env %s='%s' '%s'", childVariable, dir, self), got
}

func runChild(dir string) {
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func child(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, scriptFile))
	if err != nil {
		return err
	}
	var s script
	if _, err := fmt.Sscan(string(text), &s.first, &s.again, &s.code); err != nil {
		return err
	}
	journal, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer journal.Close()
	in := bufio.NewReader(os.Stdin)
	for {
		var size uint32
		if err := binary.Read(in, binary.BigEndian, &size); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return err
		}
		code, err := s.work(dir, journal, message)
		if err != nil {
			return err
		}
		if err := binary.Write(os.Stdout, binary.BigEndian, code); err != nil {
			return err
		}
	}
}

// work notes the message before it takes its time. A file of its own says that it came
// before, to another child perhaps.
func (s *script) work(dir string, journal *os.File, message []byte) (code uint16, err error) {
	n, err := strconv.ParseUint(string(message), 10, 64)
	if err != nil {
		return 0, err
	}
	claim, err := os.OpenFile(filepath.Join(dir, strconv.FormatUint(n, 10)), os.O_CREATE|os.O_EXCL, 0o600)
	first := !errors.Is(err, os.ErrExist)
	if first {
		if err != nil {
			return 0, err
		}
		claim.Close()
	}
	if _, err := journal.Write(append(message, '\n')); err != nil {
		return 0, err
	}
	if first {
		time.Sleep(s.first)
		return s.code, nil
	}
	time.Sleep(s.again)
	return 0, nil
}
