package main

import (
	"bytes"
	"encoding"

	"feedgate/cmd/feedgate/cli"
)

// sizes is a comma-separated list of sizes.
type sizes []cli.Size

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *sizes) UnmarshalText(text []byte) (err error) {
	*s, err = parseList[cli.Size](text)
	return err
}

// counts is a comma-separated list of counts.
type counts []cli.Count

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *counts) UnmarshalText(text []byte) (err error) {
	*c, err = parseList[cli.Count](text)
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

// ints converts a list.
func ints[T ~int | ~int64](list []T) []int {
	all := make([]int, len(list))
	for i, v := range list {
		all[i] = int(v)
	}
	return all
}
