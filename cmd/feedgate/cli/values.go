package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, at least 1. Its text is a number, with or without one of the units KiB,
// MiB, GiB.
type Size int64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(text []byte) error {
	digits, shift := string(text), 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, found := strings.CutSuffix(digits, unit); found {
			digits, shift = rest, 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is not a size; write bytes, or KiB, MiB, GiB as in 64MiB", text)
	}
	if n == 0 {
		return fmt.Errorf("%s is less than 1 byte", text)
	}
	*s = Size(n << shift)
	return nil
}

// MarshalText implements [encoding.TextMarshaler], with the largest unit that fits.
func (s Size) MarshalText() ([]byte, error) {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if shift := 10 * (3 - i); s != 0 && s%(1<<shift) == 0 {
			return fmt.Appendf(nil, "%d%s", s>>shift, unit), nil
		}
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// Count is a whole number, at least 1. Its zero value is a flag that was not given.
type Count int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a whole number", text)
	}
	if n < 1 {
		return fmt.Errorf("%d is less than 1", n)
	}
	*c = Count(n)
	return nil
}

// Period is a duration longer than 0. Users cannot write 0, because the gateway takes 0 for "the
// default".
type Period time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Period) UnmarshalText(text []byte) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	if d <= 0 {
		return fmt.Errorf("%s is not longer than 0s", text)
	}
	*p = Period(d)
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p Period) MarshalText() ([]byte, error) { return []byte(time.Duration(p).String()), nil }

// Timeout is a duration; 0: never.
type Timeout time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (t Timeout) MarshalText() ([]byte, error) { return []byte(time.Duration(t).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Timeout) UnmarshalText(text []byte) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	if d < 0 {
		return fmt.Errorf("%s is less than 0", text)
	}
	*t = Timeout(d)
	return nil
}

func parseDuration(text []byte) (time.Duration, error) {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write a number and ns, us, ms, s, m or h as in 1m30s", text)
	}
	return d, nil
}
