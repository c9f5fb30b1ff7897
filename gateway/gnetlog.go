package gateway

import (
	"feedgate/gateway/internal/gnetenv"
	_ "feedgate/worker/linux_only"

	"github.com/panjf2000/gnet/v2/pkg/logging"
)

// gnet's poller logs what it also returns, by default to standard output, where data
// goes. See decision 8.
func init() {
	logging.SetDefaultLoggerAndFlusher(noLog{}, nil)
	gnetenv.Restore()
}

// noLog is a [logging.Logger] that writes nothing.
type noLog struct{}

func (noLog) Debugf(string, ...any) {}
func (noLog) Infof(string, ...any)  {}
func (noLog) Warnf(string, ...any)  {}
func (noLog) Errorf(string, ...any) {}
func (noLog) Fatalf(string, ...any) {}
