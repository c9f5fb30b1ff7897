package main

import (
	"time"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
)

// offTimeout is a timeout that can be turned off. Its text 0 is gateway.NoTimeout, because the zero
// value means the gateway's default.
type offTimeout time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (t offTimeout) MarshalText() ([]byte, error) {
	if t == offTimeout(gateway.NoTimeout) {
		t = 0
	}
	return []byte(time.Duration(t).String()), nil
}

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
