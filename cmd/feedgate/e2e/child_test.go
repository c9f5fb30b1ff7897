package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// runChild is an exec sink's child. It logs every message with its process ID, then executes the words
// of the message:
//
//	code=N     answers with code N instead of 0
//	wait=PATH  answers once PATH exists
//	nap=D      answers after D
//	die        ends at once, without an answer
//	extra      answers twice
//	say=TEXT   writes TEXT to its standard error
//	print=TEXT writes TEXT and LF to its standard output before the answer
//	orphan     leaves behind a process that ends soon
//	stray=PATH writes one LF to its standard output as soon as PATH exists, and then creates
//	           PATH.done
func runChild(log string) {
	in := bufio.NewReader(os.Stdin)
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(2)
	}
	for {
		var length [4]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		fmt.Fprintf(out, "%d %s\n", os.Getpid(), message)
		if _, err := os.Stdout.Write(obey(string(message))); err != nil {
			return
		}
	}
}

func obey(message string) []byte {
	code, times := 0, 1
	var answer []byte
	for word := range strings.FieldsSeq(message) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "code":
			code, _ = strconv.Atoi(value)
		case "wait":
			testkit.AwaitFile(value)
		case "nap":
			d, _ := time.ParseDuration(value)
			time.Sleep(d)
		case "die":
			os.Exit(3)
		case "extra":
			times = 2
		case "say":
			fmt.Fprintln(os.Stderr, value)
		case "print":
			answer = append(answer, value+"\n"...)
		case "stray":
			go func() {
				testkit.AwaitFile(value)
				if _, err := os.Stdout.Write([]byte("\n")); err == nil {
					_ = os.WriteFile(value+".done", nil, 0o600)
				}
			}()
		case "orphan":
			if err := exec.Command("/bin/sh", "-c", "sleep 0.05 &").Run(); err != nil {
				fmt.Fprintln(os.Stderr, "child:", err)
				os.Exit(2)
			}
		}
	}
	for range times {
		answer = binary.BigEndian.AppendUint16(answer, uint16(code))
	}
	return answer
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// children is an exec sink whose children execute runChild.
type children struct {
	log string
}

func newChildren(t *testing.T) children {
	return children{log: filepath.Join(t.TempDir(), "children.log")}
}

// sink returns the --sink flag.
func (c children) sink(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("--sink=exec:%s='%s' exec '%s'", childVariable, c.log, self)
}

// delivery is one message received by one child.
type delivery struct {
	pid     int
	message string
}

// deliveries returns the messages that the children have received, in the order of their log. It
// leaves out an unfinished line.
func (c children) deliveries(t *testing.T) []delivery {
	t.Helper()
	text, err := os.ReadFile(c.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var all []delivery
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		pid, message, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		number, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatalf("child log line %q", line)
		}
		all = append(all, delivery{number, message})
	}
	return all
}

// times returns how often the children have received message.
func (c children) times(t *testing.T, message string) int {
	t.Helper()
	n := 0
	for _, d := range c.deliveries(t) {
		if d.message == message {
			n++
		}
	}
	return n
}

// gate makes a child wait.
type gate struct {
	path string
}

// newGate returns a closed gate.
func newGate(t *testing.T) gate {
	return gate{path: filepath.Join(t.TempDir(), "open")}
}

// wait returns the word that makes a child wait until the gate is open.
func (g gate) wait() string { return "wait=" + g.path }

func (g gate) open(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(g.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
