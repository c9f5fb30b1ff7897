// Package gnetlog makes gnet's logger write nothing. By default it writes to standard output,
// where data goes, and its own faults to standard error. What imports gnet imports this.
//
// It is initialised as soon as gnet's logger is, so before the packages of gnet that keep the
// logger which they find: "feedgate/" sorts before "github.com/", see package gnetenv. See
// decision 8.
package gnetlog

import (
	"feedgate/gateway/gnetlog/internal/gnetenv"

	"github.com/panjf2000/gnet/v2/pkg/logging"
)

func init() {
	logging.SetDefaultLoggerAndFlusher(None{}, nil)
	gnetenv.Restore()
}

// None is a [logging.Logger] that writes nothing.
type None struct{}

func (None) Debugf(string, ...any) {}
func (None) Infof(string, ...any)  {}
func (None) Warnf(string, ...any)  {}
func (None) Errorf(string, ...any) {}
func (None) Fatalf(string, ...any) {}
