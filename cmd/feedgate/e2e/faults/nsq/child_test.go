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

// childVariable names the directory of an exec sink's children. If it is set, the test
// binary is such a child.
const childVariable = "FAULTS_CHILD"

// In the directory of the children:
const (
	scriptFile  = "script"
	journalFile = "journal" // a line per delivery
	releaseFile = "release" // see script.held
)

// script is how children handle a message at its first delivery. Later deliveries are
// answered at once, with code 0.
type script struct {
	takes time.Duration
	held  bool // until the test calls release
	code  uint16
}

// release lets children answer the messages that they hold.
func release(t *testing.T, journal *testkit.Ledger) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(journal.Path), releaseFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// children prepares an exec sink, and returns its flag and the ledger of the deliveries.
func children(t *testing.T, s script) (flag string, journal *testkit.Ledger) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("%d %t %d", s.takes, s.held, s.code)
	if err := os.WriteFile(filepath.Join(dir, scriptFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	journal = testkit.NewLedger(t, filepath.Join(dir, journalFile), 0)
	return fmt.Sprintf("--sink=exec:exec env %s='%s' '%s'", childVariable, dir, self), journal
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
	if _, err := fmt.Sscan(string(text), &s.takes, &s.held, &s.code); err != nil {
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

// work writes the message to the journal before it handles it. Each message has a file, made
// at the first delivery, perhaps by another child.
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
	if !first {
		return 0, nil
	}
	time.Sleep(s.takes)
	if s.held {
		testkit.AwaitFile(filepath.Join(dir, releaseFile))
	}
	return s.code, nil
}
