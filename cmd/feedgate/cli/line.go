package cli

import (
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// MaxLine bounds a line on standard error, in bytes. A pipe accepts up to PIPE_BUF as a
// whole, even if others write to it too.
const MaxLine = 4 << 10

// Cut is s, or if limit is not 0 its first limit bytes and how many follow.
func Cut(s string, limit int) string {
	if limit == 0 || len(s) <= limit {
		return s
	}
	end := limit
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d more bytes)", s[:end], len(s)-end)
}

// Stderr is standard error under another descriptor. A write to a broken pipe under
// descriptor 2 kills a Go program; under any other it is an error, and no signal needs to be
// caught or ignored, which children would inherit.
func Stderr() io.Writer {
	fd, err := unix.FcntlInt(uintptr(unix.Stderr), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return io.Discard // closed
	}
	return os.NewFile(uintptr(fd), "stderr")
}
