package kafka

import (
	"errors"
	"testing"

	"feedgate/worker/selector"
)

// TestInterpret: what an answer means depends on earlier ones for the same record batch.
func TestInterpret(t *testing.T) {
	for name, c := range map[string]struct {
		p    partition
		what meaning
		want meaning
		key  *selector.Selector
	}{
		"a duplicate, of an attempt that may be stored": {partition{unsure: true}, duplicate, stored, nil},
		"a duplicate, of nothing":                       {partition{}, duplicate, resequence, nil},
		"no such topic any more":                        {partition{}, noTopic, uncertain, nil},
		"too few replicas":                              {partition{unsure: true}, later, later, nil},
		"a message named an internal topic":             {partition{topic: &topic{made: true}}, badTopic, unwanted, nil},
		"damaged, twice":                                {partition{damaged: 1}, corrupt, later, nil},
		"damaged, three times":                          {partition{damaged: 2}, corrupt, refused, nil},
		"damaged, with a key":                           {partition{damaged: 2}, corrupt, later, new(selector.Selector)},
		"damaged, and may be stored":                    {partition{damaged: 2, unsure: true}, corrupt, later, nil},
	} {
		d := delivery{c: &client{by: c.key}}
		if got := d.interpret(&c.p, c.what, errors.New("some")); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if again := c.what == corrupt; again != (c.p.damaged > 0) {
			t.Errorf("%s: %d in a row", name, c.p.damaged)
		}
	}
}
