package testkit

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// PTY is a pseudo terminal. A program under test has Terminal; the test presses keys and reads the screen.
type PTY struct {
	Terminal *os.File
	master   *os.File

	mu   sync.Mutex
	text bytes.Buffer // what was written to the terminal
}

// NewPTY opens a pseudo terminal with a size; it is closed when the test ends.
func NewPTY(t testing.TB, columns, lines int) *PTY {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &PTY{master: master}
	read := make(chan struct{})
	t.Cleanup(func() {
		if p.Terminal != nil {
			_ = p.Terminal.Close() // the test may have closed it
		}
		_ = master.Close()
		<-read
	})
	control := func(call func(fd int) error) {
		t.Helper()
		raw, err := master.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) {
				if fault := call(int(fd)); fault != nil {
					t.Error(fault)
				}
			})
		}
		if err != nil {
			t.Error(err)
		}
	}
	n := 0
	control(func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0) })
	control(func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	go p.read(read)
	p.Terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.Resize(t, columns, lines)
	return p
}

// read collects what is written to the terminal until it is closed.
func (p *PTY) read(done chan<- struct{}) {
	defer close(done)
	buffer := make([]byte, 4096)
	for {
		n, err := p.master.Read(buffer)
		p.mu.Lock()
		p.text.Write(buffer[:n])
		p.mu.Unlock()
		if err != nil {
			return // also when no program has the terminal open any more
		}
	}
}

// Text returns what was written to the terminal.
func (p *PTY) Text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// Control makes the terminal the controlling one of a command, and its standard input, output and error.
func (p *PTY) Control(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Terminal, p.Terminal, p.Terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0, Pdeathsig: syscall.SIGKILL}
}

// Screen returns what was drawn last: what follows the last move of the cursor to the first line.
func (p *PTY) Screen() string {
	text := p.Text()
	return text[strings.LastIndex(text, "\x1b[H")+1:]
}

// Press sends keys.
func (p *PTY) Press(t testing.TB, keys string) {
	t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		t.Error(err)
	}
}

// Resize changes the size of the terminal.
func (p *PTY) Resize(t testing.TB, columns, lines int) {
	t.Helper()
	size := &unix.Winsize{Col: uint16(columns), Row: uint16(lines)}
	if err := unix.IoctlSetWinsize(int(p.Terminal.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Error(err)
	}
}

// State returns the modes of the terminal.
func (p *PTY) State(t testing.TB) unix.Termios {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(p.Terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *state
}
