package exec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/worker/sink/sinktest"
)

// ledgerEnv is the path of a file in which children log each start and each message.
const ledgerEnv = "FEEDGATE_SINK_TEST_LEDGER"

// childLife is after how long a test child ends by itself.
const childLife = 30 * time.Second

// childCommand returns the command of test children in a mode, and the path of their ledger.
func childCommand(t testing.TB, mode string) (command, ledger string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ledger = filepath.Join(t.TempDir(), "ledger")
	return fmt.Sprintf("GORACE=%s %s=%s %s='%s' exec '%s'", sinktest.NoRaceSleep, childEnv, mode, ledgerEnv, ledger, exe), ledger
}

// childMain runs a child of exec:. The mode decides what it does at the end of its input, and each
// message what it does with that.
func childMain(mode string) int {
	time.AfterFunc(childLife, func() { os.Exit(99) })
	c := &obedient{mode: mode, pid: os.Getpid(), in: bufio.NewReader(os.Stdin)}
	c.note("start")
	if mode == "neverreads" {
		signal.Ignore(syscall.SIGTERM)
		c.note("neverreads")
		select {}
	}
	if mode == "early" {
		_, _ = io.ReadFull(c.in, make([]byte, headerSize))
		c.answer(0)
		select {} // until the fault is noticed
	}
	for {
		message, err := c.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "test child:", err)
			return 98
		}
		c.obey(message)
	}
	for range c.kept {
		c.answer(0)
	}
	c.note("eof")
	if mode == "linger" {
		select {} // until TERM
	}
	return 0
}

type obedient struct {
	mode string
	pid  int
	in   *bufio.Reader
	kept int // messages to answer at the end of the input
}

func (c *obedient) note(what string) {
	f, err := os.OpenFile(os.Getenv(ledgerEnv), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d %s\n", c.pid, what)
		f.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test child:", err)
		os.Exit(97)
	}
}

func (c *obedient) read() (string, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		return "", err
	}
	data := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.in, data)
	return string(data), err
}

func (c *obedient) answer(code uint16) {
	b := binary.BigEndian.AppendUint16(nil, code)
	if c.mode == "bytewise" {
		_, _ = os.Stdout.Write(b[:1])
		b = b[1:]
	}
	_, _ = os.Stdout.Write(b)
}

func (c *obedient) obey(message string) {
	c.note(message[:min(len(message), 60)])
	word, rest, _ := strings.Cut(message, " ")
	switch {
	case word == "code":
		var code uint16
		_, _ = fmt.Sscan(rest, &code)
		c.answer(code)
	case word == "die":
		os.Exit(7)
	case word == "die-once":
		if _, err := os.Stat(rest); err != nil {
			_ = os.WriteFile(rest, nil, 0o600)
			os.Exit(7)
		}
		c.answer(0)
	case word == "twice":
		c.answer(0)
		c.answer(0)
	case word == "stray":
		go func() {
			for {
				if _, err := os.Stat(rest); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			_, _ = os.Stdout.WriteString("\n")
		}()
		c.answer(0)
	case word == "shifted":
		_, _ = os.Stdout.WriteString("\x00\x00\x01")
	case word == "text":
		_, _ = os.Stdout.WriteString("got\n")
		c.answer(0)
	case c.mode == "at-end":
		c.kept++
	default:
		c.answer(0)
	}
}

// entry is a line of a ledger.
type entry struct {
	pid  int
	what string
}

func readLedger(t testing.TB, path string) []entry {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var entries []entry
	for line := range strings.Lines(string(data)) {
		pid, what, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var e entry
		if _, err := fmt.Sscan(pid, &e.pid); err != nil || !ok {
			t.Fatalf("ledger line %q", line)
		}
		e.what = what
		entries = append(entries, e)
	}
	return entries
}

func countEntries(entries []entry, what string) int {
	n := 0
	for _, e := range entries {
		if e.what == what {
			n++
		}
	}
	return n
}

// whats returns the entries without their process IDs.
func whats(entries []entry) []string {
	var s []string
	for _, e := range entries {
		s = append(s, e.what)
	}
	return s
}
