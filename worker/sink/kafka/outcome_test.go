package kafka

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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

// TestLimit: after a record batch that is too large, those of half its messages are made, however
// well they are compressed.
func TestLimit(t *testing.T) {
	compressor, err := kgo.DefaultCompressor(kgo.GzipCompression())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{limit: maxBatch}
	p := new(partition)
	value := make([]byte, 1000)
	for i := range 100 {
		c.batchFor(p, len(value)).add(i, nil, value, nil)
	}
	r := p.queue[0]
	r.finish(time.Now(), compressor, new(bytes.Buffer))
	d := delivery{c: c}
	if d.refuse(p, true, errTooLarge); !d.split || c.limit < 50*len(value) || c.limit > 60*len(value) || len(r.bytes) > 10*len(value) {
		t.Errorf("limit %d after %d bytes, split: %v", c.limit, len(r.bytes), d.split)
	}
}
