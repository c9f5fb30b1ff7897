package cli

import (
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// MaxLine is the longest line on standard error, in bytes: PIPE_BUF. Writes to a pipe up to this length
// are atomic, so lines of several processes do not mix.
const MaxLine = 4 << 10

// Cut shortens s to limit bytes and appends the number of bytes that it has removed; 0: no limit.
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

// Stderr is a duplicate of standard error. Go ends the process if a write to descriptor 2 fails with
// EPIPE; with another descriptor, the write returns an error. SIGPIPE could be ignored instead, but
// children would inherit that.
func Stderr() io.Writer {
	fd, err := unix.FcntlInt(uintptr(unix.Stderr), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return io.Discard // closed
	}
	return os.NewFile(uintptr(fd), "stderr")
}
