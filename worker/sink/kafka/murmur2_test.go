package kafka

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestMurmur2: the hashes are those of Java's client (UtilsTest.testMurmur2 of Apache Kafka).
func TestMurmur2(t *testing.T) {
	for text, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("%s has the hash %d, want %d", text, got, want)
		}
	}
}

// TestKeyPartition: partitions are those of another client that promises to choose as Java's does.
func TestKeyPartition(t *testing.T) {
	other := kgo.StickyKeyPartitioner(nil).ForTopic("orders")
	for range 10_000 {
		key, n := make([]byte, rand.IntN(40)), 1+rand.IntN(1000)
		for i := range key {
			key[i] = byte(rand.Uint32())
		}
		if got, want := keyPartition(key, n), other.Partition(&kgo.Record{Key: key}, n); got != want {
			t.Fatalf("%q of %d: partition %d, want %d", key, n, got, want)
		}
	}
}
