// Package gnetlog makes gnet's logger write nothing. By default it writes to standard output,
// which is for data, and its own faults to standard error. Every package that imports gnet
// imports this one.
//
// It is initialised directly after gnet's logger, before the packages of gnet that keep the
// logger they find, because "feedgate/" sorts before "github.com/"; see package gnetenv and
// docs/decisions/0008.
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
