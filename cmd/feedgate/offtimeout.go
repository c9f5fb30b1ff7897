package main

import (
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
)

// offTimeout is a time of gateway.Config that can be turned off: its zero value is the default,
// which may depend on the protocol, and 0 as text is off.
type offTimeout time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *offTimeout) UnmarshalText(text []byte) error {
	var d cli.Timeout
	if err := d.UnmarshalText(text); err != nil {
		return err
	}
	if *t = offTimeout(d); d == 0 {
		*t = offTimeout(gateway.NoTimeout)
	}
	return nil
}
