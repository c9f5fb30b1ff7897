package kafka

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// decode decodes a record batch with another implementation.
func decode(t *testing.T, wire []byte) (b kmsg.RecordBatch, records []kmsg.Record) {
	t.Helper()
	if err := b.ReadFrom(wire); err != nil {
		t.Fatal(err)
	}
	if int(b.Length) != len(wire)-12 || b.CRC != int32(crc32.Checksum(wire[21:], crc32.MakeTable(crc32.Castagnoli))) {
		t.Errorf("length %d of %d, checksum %x", b.Length, len(wire), b.CRC)
	}
	text, err := kgo.DefaultDecompressor().Decompress(b.Records, kgo.CompressionCodecType(b.Attributes&7))
	if err != nil {
		t.Fatal(err)
	}
	for range b.NumRecords {
		var r kmsg.Record
		if err := r.ReadFrom(text); err != nil {
			t.Fatal(err)
		}
		length := r.Length
		text = text[varintSize(int(length))+int(length):]
		records = append(records, r)
	}
	if len(text) != 0 {
		t.Errorf("%d bytes behind the last record", len(text))
	}
	return b, records
}

// TestRecordBatch: another implementation finds in a record batch what was put in.
func TestRecordBatch(t *testing.T) {
	lengths := []int{0, 1, 63, 64, 200, 8191, 8192}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			compressor, err := kgo.DefaultCompressor(codec)
			if err != nil {
				t.Fatal(err)
			}
			r, scratch := new(recordBatch), new(bytes.Buffer)
			for range 3 { // also with used memory
				r.reset()
				var keys, values, ids []string
				for i := range 100 {
					size := lengths[rand.IntN(len(lengths))]
					keys = append(keys, strings.Repeat("k", rand.IntN(100)))
					values = append(values, strings.Repeat(fmt.Sprint(i), size)[:size])
					ids = append(ids, strings.Repeat("i", rand.IntN(2)*rand.IntN(100)))
					key := []byte(keys[i])
					if i%3 == 0 {
						key = nil
					}
					r.add(1000+i, key, []byte(values[i]), []byte(ids[i]))
				}
				now := time.UnixMilli(1_700_000_000_123)
				r.finish(now, compressor, scratch)
				s := sequence{producer: 1 << 40, epoch: 7, first: math.MaxInt32 - 5}
				b, records := decode(t, r.seal(s))
				if b.ProducerID != s.producer || b.ProducerEpoch != s.epoch || b.FirstSequence != s.first ||
					b.LastOffsetDelta != 99 || b.FirstTimestamp != now.UnixMilli() || b.MaxTimestamp != now.UnixMilli() {
					t.Errorf("%+v", b)
				}
				if (b.Attributes != 0) != (name != "none") {
					t.Errorf("attributes %x", b.Attributes)
				}
				for i, got := range records {
					id := ""
					if len(got.Headers) == 1 && got.Headers[0].Key == "id" {
						id = string(got.Headers[0].Value)
					}
					if string(got.Value) != values[i] || id != ids[i] || got.OffsetDelta != int32(i) || r.messages[i] != int32(1000+i) ||
						(got.Key == nil) != (i%3 == 0) || got.Key != nil && string(got.Key) != keys[i] {
						t.Fatalf("record %d: %+v", i, got)
					}
				}
				if again, _ := decode(t, r.seal(sequence{2, 0, 0})); again.ProducerID != 2 || again.FirstSequence != 0 {
					t.Errorf("sealed again: %+v", again)
				}
			}
		})
	}
}

// TestRecordOverhead: a record is never longer than the limit of a record batch allows for.
func TestRecordOverhead(t *testing.T) {
	r := new(recordBatch)
	r.reset()
	for i, n := range []int{0, 1, 100, 10_000, 1 << 20} {
		before := len(r.bytes)
		data := make([]byte, n)
		if r.add(i, data, data, data); len(r.bytes)-before > 3*n+recordOverhead {
			t.Errorf("3 times %d bytes: a record of %d bytes", n, len(r.bytes)-before)
		}
	}
}

// TestKept: large messages and many partitions leave little memory behind.
func TestKept(t *testing.T) {
	c := &client{limit: maxBatch}
	large := make([]byte, 3_500_000)
	add := func(size int) *partition {
		p := new(partition)
		c.batchFor(p, size).add(0, nil, large[:size], nil)
		return p
	}
	for round := range 40 {
		var all []*partition
		for range 64 {
			all = append(all, add(100))
		}
		all = append(all, add(len(large)), add(maxBatch-200), add(maxBatch/3))
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] }) // answers of several brokers
		for _, p := range all {
			c.recycle(p.queue[0])
		}
		sum := 0
		for _, r := range c.unused {
			if sum += r.memory(); cap(r.bytes) > maxBatch {
				t.Errorf("round %d: %d bytes in one batch", round, cap(r.bytes))
			}
		}
		if sum != c.kept || sum > maxKept {
			t.Fatalf("round %d: %d bytes are kept, counted %d", round, sum, c.kept)
		}
	}
}

// TestGrow: a full record batch is kept.
func TestGrow(t *testing.T) {
	c := &client{limit: maxBatch}
	p := new(partition)
	value := make([]byte, 60)
	for i := 0; len(p.queue) < 2; i++ {
		c.batchFor(p, len(value)).add(i, nil, value, nil)
	}
	if c.recycle(p.queue[0]); len(c.unused) != 1 || len(c.unused[0].bytes) < maxBatch-200 {
		t.Errorf("%d are kept; %d bytes", len(c.unused), cap(p.queue[0].bytes))
	}
}

// TestNoProducer: a record batch is never sent without a producer ID.
func TestNoProducer(t *testing.T) {
	r := new(recordBatch)
	r.reset()
	defer func() {
		if recover() == nil {
			t.Error("it is sealed")
		}
	}()
	r.seal(sequence{producer: unknown})
}

// TestSequence: sequence numbers wrap around to 0, as brokers expect.
func TestSequence(t *testing.T) {
	for _, c := range []struct {
		first int32
		n     int
		want  int32
	}{{0, 5, 5}, {math.MaxInt32 - 1, 1, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 2, 10, 7}} {
		if got := after(c.first, c.n); got != c.want {
			t.Errorf("%d and %d records: %d, want %d", c.first, c.n, got, c.want)
		}
	}
	p := partition{sequence: sequence{producer: 9, epoch: 3, first: 77}, unsure: true}
	if p.renew(); p.sequence != (sequence{9, 4, 0}) || p.unsure {
		t.Errorf("first renewal: %+v", p)
	}
	if p.renew(); p.sequence.producer != unknown {
		t.Errorf("second renewal: %+v", p)
	}
	last := partition{sequence: sequence{producer: 9, epoch: math.MaxInt16 - 1}}
	if last.renew(); last.sequence.producer != unknown {
		t.Errorf("after the last epoch: %+v", last)
	}
}
