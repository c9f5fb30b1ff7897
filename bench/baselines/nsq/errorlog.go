package nsq

import (
	"strings"
	"sync/atomic"
)

// errorLog is nsqd's logger. It keeps nothing but how often nsqd has told a client that
// something is wrong, by the protocol's own codes: nsqd counts them nowhere. Any
// goroutine of nsqd writes, anyone reads.
type errorLog struct {
	again atomic.Uint64 // FIN of what is not in flight
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
