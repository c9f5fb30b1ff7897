package top

import (
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is the screen that top draws on, and the keys. One goroutine calls its methods.
type terminal struct {
	in, out *os.File
	before  *term.State // of in, to be restored; nil: it is not a terminal
	resized chan os.Signal
	resumed chan os.Signal // SIGCONT: another program may have changed the modes
}

// Control sequences: the alternate screen, without cursor and line wrap, and back.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	leaveScreen = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// openTerminal takes the terminal over; close gives it back. If in is no terminal, there are no keys.
func openTerminal(in, out *os.File) (*terminal, error) {
	t := &terminal{in: in, out: out, resized: make(chan os.Signal, 1), resumed: make(chan os.Signal, 1)}
	if err := t.enter(); err != nil {
		return nil, err
	}
	signal.Notify(t.resized, unix.SIGWINCH)
	signal.Notify(t.resumed, unix.SIGCONT)
	return t, nil
}

// enter takes the terminal over, also again after a stop; leave gives it back.
func (t *terminal) enter() error {
	if term.IsTerminal(int(t.in.Fd())) {
		before, err := term.MakeRaw(int(t.in.Fd()))
		if err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
		if t.before == nil {
			t.before = before
		}
	}
	fmt.Fprint(t.out, enterScreen)
	return nil
}

func (t *terminal) close() {
	signal.Stop(t.resized)
	signal.Stop(t.resumed)
	t.leave()
}

// stop gives the terminal to the shell, and stops the processes of this job until the shell continues them.
// Without a shell that could, the kernel ignores it. It is SIGTSTP's default action that stops us before Kill
// returns; with a handler, Go would never have it again.
func (t *terminal) stop() error {
	t.leave()
	if err := unix.Kill(0, unix.SIGTSTP); err != nil {
		return err
	}
	return t.enter()
}

func (t *terminal) leave() {
	fmt.Fprint(t.out, leaveScreen)
	if t.before != nil {
		if err := term.Restore(int(t.in.Fd()), t.before); err != nil {
			fmt.Fprintf(t.out, "feedgate: the terminal is not restored: %v; the command reset does it\r\n", err)
		}
	}
}

// size returns the number of columns and lines.
func (t *terminal) size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width < 1 || height < 1 {
		return 80, 24
	}
	return width, height
}

// draw shows the lines.
func (t *terminal) draw(lines []string) error {
	var all strings.Builder
	all.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			all.WriteString("\r\n")
		}
		all.WriteString(line + "\x1b[K")
	}
	all.WriteString("\x1b[J")
	_, err := t.out.WriteString(all.String())
	return err
}

// key is a key that means something.
type key uint8

const (
	keyQuit key = iota
	keyStop     // to the shell
	keyUp
	keyDown
	keyPageUp
	keyPageDown
	keyHome
	keyEnd
)

var keys = map[string]key{
	"q": keyQuit, "Q": keyQuit, "\x03": keyQuit, "\x1a": keyStop,
	"\x1b[A": keyUp, "\x1bOA": keyUp, "k": keyUp, "\x1b[B": keyDown, "\x1bOB": keyDown, "j": keyDown,
	"\x1b[5~": keyPageUp, "b": keyPageUp, "\x1b[6~": keyPageDown, " ": keyPageDown,
	"\x1b[H": keyHome, "\x1bOH": keyHome, "\x1b[1~": keyHome, "g": keyHome,
	"\x1b[F": keyEnd, "\x1bOF": keyEnd, "\x1b[4~": keyEnd, "G": keyEnd,
}

// readKeys sends the keys of in until in ends, or done is closed. A read brings one key, unless they come
// faster than they are read; then those that cannot be told apart mean nothing.
func readKeys(in *os.File, to chan<- key, done <-chan struct{}) {
	buffer := make([]byte, 64)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return
		}
		text := string(buffer[:n])
		pressed, known := keys[text]
		if !known && strings.ContainsAny(text, "q\x03") && !strings.Contains(text, "\x1b") {
			pressed, known = keyQuit, true
		}
		if !known {
			continue
		}
		select {
		case to <- pressed:
		case <-done:
			return
		}
	}
}
