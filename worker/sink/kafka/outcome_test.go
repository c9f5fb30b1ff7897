package kafka

import (
	"errors"
	"testing"
)

// TestInterpret: what an answer means depends on earlier ones for the same record batch.
func TestInterpret(t *testing.T) {
	for name, c := range map[string]struct {
		p    partition
		what meaning
		want meaning
	}{
		"a duplicate, of an attempt that may be stored": {partition{unsure: true}, duplicate, stored},
		"a duplicate, of nothing":                       {partition{}, duplicate, resequence},
		"no such topic any more":                        {partition{}, noTopic, uncertain},
		"too few replicas":                              {partition{unsure: true}, later, later},
	} {
		d := delivery{c: new(client)}
		if got := d.interpret(&c.p, c.what, errors.New("some")); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
