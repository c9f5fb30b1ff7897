package main

import (
	"fmt"
	"log/slog"
	"runtime"
	"strconv"

	automaxprocs "go.uber.org/automaxprocs/maxprocs"
)

// maxprocs selects GOMAXPROCS: "quota" is the CPU quota of the control group, rounded down,
// "runtime" is Go's own choice, else it is a number.
type maxprocs string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *maxprocs) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "quota", "runtime":
	default:
		if n, err := strconv.Atoi(s); err != nil || n < 1 {
			return fmt.Errorf("%q is not quota, runtime or a number of at least 1", s)
		}
	}
	*m = maxprocs(text)
	return nil
}

// set sets GOMAXPROCS. If the quota cannot be read, Go's own choice stays. report logs the outcome;
// it is called after "starting" is logged.
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
				log.Warn("cannot read the CPU quota", "error", err, "gomaxprocs", runtime.GOMAXPROCS(0))
			}
		}
	default:
		n, err := strconv.Atoi(string(m))
		if err != nil {
			panic(err) // UnmarshalText has checked it
		}
		runtime.GOMAXPROCS(n)
	}
	return report
}
