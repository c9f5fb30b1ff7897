package view

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOrder(t *testing.T) {
	want := []string{"", "fg://10.0.0.2:1", "fg://10.0.0.10:1", "fg://a", "fg://a#2", "fg://a#10", "fg://a01", "fg://a1", "fg://b", "ws://9/x"}
	got := slices.Clone(want)
	for range 50 {
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, byNumber)
		if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}
