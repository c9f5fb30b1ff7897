package main

import (
	"bufio"
	"io"
	"os"
	"time"
)

const (
	// childLine is the longest line of a child that is passed on whole, in bytes.
	childLine = 4 << 10
	// childLastLines is how long to wait for the last lines of children that have ended. One of their own
	// children may keep the pipe open.
	childLastLines = 100 * time.Millisecond
)

// childStderr returns what child processes have as standard error, nil if that is the process's own. If run
// shows a live line there, it is a pipe, whose lines are written as those of the log are: what children
// wrote themselves would continue the live line. passed waits until what
// children that have ended wrote is passed on; it may be called several times.
func (g *globals) childStderr() (stderr *os.File, passed func()) {
	if !g.hasLiveLine() {
		return nil, func() {}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, func() {} // the lines are mixed, but not lost
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		passLines(g.stderr, r)
	}()
	return w, func() {
		w.Close()
		select {
		case <-ended:
		case <-time.After(childLastLines):
		}
	}
}

// passLines writes the lines of r to out, one Write per line. It cuts a longer line than childLine into
// several, and ends the last one.
func passLines(out io.Writer, r io.Reader) {
	in := bufio.NewReaderSize(r, childLine)
	for {
		line, err := in.ReadSlice('\n')
		if n := len(line); n > 0 && line[n-1] != '\n' {
			line = append(line[:n:n], '\n')
		}
		if len(line) > 0 {
			out.Write(line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}
