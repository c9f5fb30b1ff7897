package main

import (
	"fmt"
	"log/slog"
	"runtime"
	"strconv"

	automaxprocs "go.uber.org/automaxprocs/maxprocs"
)

// maxprocs is how GOMAXPROCS is set: from the CPU quota, rounded down, by Go's
// runtime, or to a number.
type maxprocs string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *maxprocs) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "quota", "runtime":
	default:
		if n, err := strconv.Atoi(s); err != nil || n < 1 {
			return fmt.Errorf("%q is none of quota, runtime and a number from 1", s)
		}
	}
	*m = maxprocs(text)
	return nil
}

// set sets GOMAXPROCS. report logs the outcome, later, because another line is the first of
// the log. If the quota cannot be read, the runtime's value is kept.
func (m maxprocs) set() (report func(*slog.Logger)) {
	report = func(*slog.Logger) {}
	switch m {
	case "runtime":
	case "quota":
		var lines []string
		debug := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
		_, err := automaxprocs.Set(automaxprocs.Logger(debug))
		report = func(log *slog.Logger) {
			for _, line := range lines {
				log.Debug(line)
			}
			if err != nil {
				log.Warn("the CPU quota cannot be read", "error", err, "gomaxprocs", runtime.GOMAXPROCS(0))
			}
		}
	default:
		n, err := strconv.Atoi(string(m))
		if err != nil {
			panic(err) // UnmarshalText lets only numbers through
		}
		runtime.GOMAXPROCS(n)
	}
	return report
}
