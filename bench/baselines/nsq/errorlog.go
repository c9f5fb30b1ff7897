package nsq

import (
	"strings"
	"sync/atomic"
)

// errorLog is nsqd's logger. It only counts the errors that nsqd has sent to clients, by the
// protocol's codes, because nsqd does not count them itself. Any goroutine may call its methods.
type errorLog struct {
	again atomic.Uint64 // FINs of messages not in flight
	other atomic.Uint64
}

// Output implements nsqd's Logger.
func (l *errorLog) Output(_ int, line string) error {
	switch {
	case strings.Contains(line, " E_FIN_FAILED "):
		l.again.Add(1)
	case strings.Contains(line, " E_"):
		l.other.Add(1)
	}
	return nil
}

func (l *errorLog) counts() (again, other uint64) { return l.again.Load(), l.other.Load() }
