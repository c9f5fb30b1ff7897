package ring_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/Workiva/go-datastructures/queue"

	"feedgate/ring"
)

// Throughput: one producer and one consumer goroutine, ns/op is ns per entry.
// Both sides give their processor away when they find the queue full or empty,
// as a gateway on few cores must.
//
//	make baselines # for boost
//	go test -run '^$' -bench . -count 5 ./ring

// word entries are no more than a number, line entries carry 64 bytes of payload.
type (
	word [1]uint64
	line [8]uint64
)

const benchBatch = 32

var benchCaps = []int{1 << 10, 4 << 10, 16 << 10, 64 << 10}

func BenchmarkThroughput(b *testing.B) {
	benchThroughput[word](b, "8B")
	benchThroughput[line](b, "64B")
	benchBytes(b)
	benchBoost(b)
}

func benchThroughput[T word | line](b *testing.B, size string) {
	for _, q := range []struct {
		name string
		run  func(b *testing.B, capacity int)
	}{
		{"spsc-single", throughputSingle[T]},
		{"spsc-batch", throughputBatch[T]},
		{"channel", throughputChannel[T]},
		{"ringbuffer", throughputRingBuffer[T]},
	} {
		for _, c := range benchCaps {
			b.Run(fmt.Sprintf("%s/%s/cap=%d", q.name, size, c), func(b *testing.B) { q.run(b, c) })
		}
	}
}

// fill makes entry i; every word of it is written.
func fill[T word | line](i int) (v T) {
	for j := 0; j < len(v); j++ {
		v[j] = uint64(i)
	}
	return v
}

// total reads every word of an entry.
func total[T word | line](v *T) (sum uint64) {
	for j := 0; j < len(*v); j++ {
		sum += (*v)[j]
	}
	return sum
}

// check fails a benchmark that lost, doubled or tore an entry.
func check[T word | line](b *testing.B, sum uint64) {
	b.StopTimer()
	var v T
	n := uint64(b.N)
	if want := uint64(len(v)) * (n * (n - 1) / 2); sum != want {
		b.Fatalf("checksum %d, want %d", sum, want)
	}
}

func throughputSingle[T word | line](b *testing.B, capacity int) {
	r := ring.NewSPSC[T](capacity)
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; {
			if r.Push(fill[T](i)) {
				i++
			} else {
				runtime.Gosched()
			}
		}
	}()
	sum := uint64(0)
	for i := 0; i < b.N; {
		if v, ok := r.Pop(); ok {
			sum += total(&v)
			i++
		} else {
			runtime.Gosched()
		}
	}
	check[T](b, sum)
}

func throughputBatch[T word | line](b *testing.B, capacity int) {
	r := ring.NewSPSC[T](capacity)
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; {
			s := r.Reserve(min(benchBatch, b.N-i))
			if len(s) == 0 {
				runtime.Gosched()
				continue
			}
			for j := range s {
				s[j] = fill[T](i + j)
			}
			i += len(s)
			r.Commit(len(s))
			r.Publish()
		}
	}()
	sum := uint64(0)
	for i := 0; i < b.N; {
		s := r.Peek()
		if len(s) == 0 {
			runtime.Gosched()
			continue
		}
		s = s[:min(benchBatch, len(s))]
		for j := range s {
			sum += total(&s[j])
		}
		i += len(s)
		r.Take(len(s))
		r.Release()
	}
	check[T](b, sum)
}

func throughputChannel[T word | line](b *testing.B, capacity int) {
	c := make(chan T, capacity)
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; i++ {
			c <- fill[T](i)
		}
	}()
	sum := uint64(0)
	for i := 0; i < b.N; i++ {
		v := <-c
		sum += total(&v)
	}
	check[T](b, sum)
}

// throughputRingBuffer pays for the boxing of each entry, as a user would.
func throughputRingBuffer[T word | line](b *testing.B, capacity int) {
	q := queue.NewRingBuffer(uint64(capacity))
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; i++ {
			if err := q.Put(fill[T](i)); err != nil {
				panic(err)
			}
		}
	}()
	sum := uint64(0)
	for i := 0; i < b.N; i++ {
		x, err := q.Get()
		if err != nil {
			b.Fatal(err)
		}
		v := x.(T)
		sum += total(&v)
	}
	check[T](b, sum)
}
