package ring_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"feedgate/ring"
)

// benchBytes gives the byte ring as much memory as the entries of the other queues. Its records
// are 8 bytes longer, so it holds fewer.
func benchBytes(b *testing.B) {
	for _, size := range []int{8, 64} {
		for _, q := range []struct {
			name  string
			batch int
		}{{"bytes-single", 1}, {"bytes-batch", benchBatch}} {
			for _, c := range benchCaps {
				b.Run(fmt.Sprintf("%s/%dB/cap=%d", q.name, size, c), func(b *testing.B) {
					throughputBytes(b, c*size, size, q.batch)
				})
			}
		}
	}
}

// throughputBytes publishes and releases up to batch records of size bytes at a time.
func throughputBytes(b *testing.B, capacity, size, batch int) {
	r := ring.NewBytes(capacity)
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; {
			n := fillBytes(r, i, size, min(batch, b.N-i))
			if n == 0 {
				runtime.Gosched()
				continue
			}
			i += n
			r.Publish()
		}
	}()
	sum := uint64(0)
	for i := 0; i < b.N; {
		n, s := totalBytes(r, batch)
		if n == 0 {
			runtime.Gosched()
			continue
		}
		i += n
		sum += s
		r.Release()
	}
	if size == 8 {
		check[word](b, sum)
	} else {
		check[line](b, sum)
	}
}

// fillBytes commits at most most records, from number i on, and returns how many.
func fillBytes(r *ring.Bytes, i, size, most int) (n int) {
	for ; n < most; n++ {
		p := r.Reserve(size)
		if p == nil {
			break
		}
		for ; len(p) > 0; p = p[8:] {
			binary.NativeEndian.PutUint64(p, uint64(i+n))
		}
		r.Commit(size)
	}
	return n
}

// totalBytes takes at most most records and sums their words.
func totalBytes(r *ring.Bytes, most int) (n int, sum uint64) {
	for ; n < most; n++ {
		p := r.Next()
		if p == nil {
			break
		}
		for ; len(p) > 0; p = p[8:] {
			sum += binary.NativeEndian.Uint64(p)
		}
	}
	return n, sum
}
