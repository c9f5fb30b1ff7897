package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// Exit statuses of all commands. A status of a single command, such as that of a crossed threshold,
// is an [ExitError].
const (
	ExitOK      = 0
	ExitFailure = 1
	ExitUsage   = 2
)

// usageError is an error in the command line, the environment or the configuration file.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage marks err as a usage error: the process prints it with a reference to the help, and exits
// with [ExitUsage]. Each line of err must begin with the flag or address at fault.
func Usage(err error) error { return usageError{err} }

// Usagef returns a usage error, formatted as by [fmt.Errorf].
func Usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// ExitError ends the process with status Code. Err is nil if the command has printed all errors.
type ExitError struct {
	Code int
	Err  error
}

func (e ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e ExitError) Unwrap() error { return e.Err }

// Status is the exit status for the error of a command.
func Status(err error) int {
	var exit ExitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return exit.Code
	case IsUsage(err):
		return ExitUsage
	default:
		return ExitFailure
	}
}

// IsUsage reports whether err is a usage error.
func IsUsage(err error) bool {
	var usage usageError
	var parse *kong.ParseError
	return errors.As(err, &usage) || errors.As(err, &parse)
}

// maxErrorLine is MaxLine less space for the text around an error line, in bytes.
const maxErrorLine = MaxLine - 64

// PrintError writes err to w, each distinct line once. origin returns where the value of a flag comes
// from; "": the command line or a default. help is the command whose help a usage error refers to.
func PrintError(w io.Writer, err error, origin func(flag string) string, help string) {
	var exit ExitError
	if errors.As(err, &exit) && exit.Err == nil {
		return
	}
	for _, line := range ErrorLines(err, origin) {
		fmt.Fprintf(w, "feedgate: %s\n", line)
	}
	if IsUsage(err) {
		fmt.Fprintf(w, "feedgate: see %s --help\n", help)
	}
}

// ErrorLines returns the lines of err, each distinct one once, with the origins of the flags at fault.
// origin is as for PrintError.
func ErrorLines(err error, origin func(flag string) string) (lines []string) {
	if err == nil {
		return nil
	}
	seen := make(map[string]bool)
	for line := range strings.SplitSeq(errorText(err), "\n") {
		if line == "" || seen[line] {
			continue
		}
		seen[line] = true
		if from := origin(FlagAtFault(line)); from != "" {
			line += " (set by " + from + ")"
		}
		lines = append(lines, Cut(printable(line), maxErrorLine))
	}
	return lines
}

// printable returns a line with escapes for what is not printable, which would control a terminal: errors of
// the system quote nothing.
func printable(line string) string {
	var b strings.Builder
	for i, r := range line {
		if _, size := utf8.DecodeRuneInString(line[i:]); r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, line[i])
		} else if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// errorText is the text of err. kong rejects arguments on both sides of the flags; the text then shows
// where they belong, without quoting them, because a URL may contain secrets.
func errorText(err error) string {
	var parse *kong.ParseError
	text := err.Error()
	if !errors.As(err, &parse) || !strings.HasPrefix(text, "unexpected argument ") {
		return text
	}
	command := parse.Context.Selected()
	if command == nil || len(command.Positional) == 0 {
		return text
	}
	name := command.Positional[0].Name
	return fmt.Sprintf("unexpected argument after the flags: put all %[2]ss in front of them, as in feedgate %[1]s %[2]s1 %[2]s2 --FLAG ...",
		command.Name, name)
}

// FlagAtFault is the name of the flag that an error line begins with, or "".
func FlagAtFault(line string) string {
	name, found := strings.CutPrefix(line, "--")
	if !found {
		return ""
	}
	end := strings.IndexAny(name, ",: =")
	if end < 0 {
		return name
	}
	return name[:end]
}
