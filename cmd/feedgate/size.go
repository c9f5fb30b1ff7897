package main

import (
	"bytes"
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"feedgate/gateway"
)

// size is a number of bytes, at least 1. It is written as such or with one of
// the units KiB, MiB, GiB.
type size int64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *size) UnmarshalText(text []byte) error {
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
	*s = size(n << shift)
	return nil
}

// count is a whole number, at least 1. Its zero value stands for a flag that was
// not given.
type count int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a whole number", text)
	}
	if n < 1 {
		return fmt.Errorf("%d is less than 1", n)
	}
	*c = count(n)
	return nil
}

// period is a duration longer than 0. The gateway's own zero is "the default",
// which a user who writes 0 does not mean.
type period time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *period) UnmarshalText(text []byte) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	if d <= 0 {
		return fmt.Errorf("%s is not longer than 0s", text)
	}
	*p = period(d)
	return nil
}

// offTimeout is a time of gateway.Config that can be turned off: its zero value is the default,
// which may depend on the protocol, and 0 as text is off.
type offTimeout time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *offTimeout) UnmarshalText(text []byte) error {
	var d timeout
	if err := d.UnmarshalText(text); err != nil {
		return err
	}
	if *t = offTimeout(d); d == 0 {
		*t = offTimeout(gateway.NoTimeout)
	}
	return nil
}

// timeout is a duration, 0 for never.
type timeout time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *timeout) UnmarshalText(text []byte) error {
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	if d < 0 {
		return fmt.Errorf("%s is less than 0", text)
	}
	*t = timeout(d)
	return nil
}

func parseDuration(text []byte) (time.Duration, error) {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write a number and ns, us, ms, s, m or h as in 1m30s", text)
	}
	return d, nil
}

// sizes is a list of sizes, with commas.
type sizes []size

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *sizes) UnmarshalText(text []byte) (err error) {
	*s, err = parseList[size](text)
	return err
}

// counts is a list of counts, with commas.
type counts []count

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *counts) UnmarshalText(text []byte) (err error) {
	*c, err = parseList[count](text)
	return err
}

func parseList[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](text []byte) ([]T, error) {
	var all []T
	for item := range bytes.SplitSeq(text, []byte(",")) {
		var one T
		if err := P(&one).UnmarshalText(bytes.TrimSpace(item)); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// ints are the numbers of a list.
func ints[T ~int | ~int64](list []T) []int {
	all := make([]int, len(list))
	for i, v := range list {
		all[i] = int(v)
	}
	return all
}
