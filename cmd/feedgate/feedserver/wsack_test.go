package feedserver

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestScanWSAck: scanWSAck parses the right number or nothing.
func TestScanWSAck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.SliceOfN(rapid.ByteRange('0', '9'), 1, 20).Draw(t, "digits")
		text := append([]byte{'A'}, digits...)
		spoilt := rapid.Bool().Draw(t, "spoilt")
		if spoilt {
			text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "by")
		}
		frame := wsMasked(0x81, text, rapid.Uint32().Draw(t, "mask"))
		behind := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "behind")
		n, size := scanWSAck(append(slices.Clone(frame), behind...))
		switch {
		case size == 0 && !spoilt && len(digits) <= wsAckDigits && len(behind) >= wsAckDigits:
			t.Fatalf("%q was not parsed", text)
		case size != 0 && (size != len(frame) || text[0] != 'A' || n != ackedBy(text)):
			t.Fatalf("%q is %d in %d bytes", text, n, size)
		case size != 0 && slices.ContainsFunc(text[1:], func(d byte) bool { return d < '0' || d > '9' }):
			t.Fatalf("%q is parsed as %d", text, n)
		}
	})
}

// TestScanWSAcks: scanWSAcks returns the same acks as scanWSAck one by one, also if other frames
// are between them.
func TestScanWSAcks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Max(1e17).Draw(t, "n") >> rapid.IntRange(0, 56).Draw(t, "shift")
		var b []byte
		for range rapid.IntRange(1, 30).Draw(t, "frames") {
			first := rapid.SampledFrom([]byte{0x81, 0x81, 0x81, 0x81, 0x81, 0x82}).Draw(t, "first")
			text := fmt.Appendf(nil, "A%d", n)
			if rapid.IntRange(0, 20).Draw(t, "spoil") == 0 {
				text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "by")
			}
			b = append(b, wsMasked(first, text, rapid.Uint32().Draw(t, "mask"))...)
			n += uint64(rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 0, 2, 10}).Draw(t, "step"))
		}
		b = append(b, rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "behind")...)
		for len(b) > 0 {
			n, count, size := scanWSAcks(b)
			if size == 0 {
				if _, size := scanWSAck(b); size > 0 {
					t.Fatalf("an ack of %d bytes was not parsed", size)
				}
				h, ok, err := parseWSHead(b)
				if !ok || err != nil || len(b) < h.end {
					return
				}
				b = b[h.end:]
				continue
			}
			for i := range count {
				one, k := scanWSAck(b)
				if k == 0 && len(b) < wsAckDigit+wsAckDigits { // it wants more bytes after the ack
					h, _, _ := parseWSHead(b)
					k = h.end
					text := slices.Clone(b[h.size:h.end])
					h.unmask(text)
					one = ackedBy(text)
				}
				if k == 0 || one != n+i {
					t.Fatalf("ack %d of %d from %d on is %d in %d bytes", i, count, n, one, k)
				}
				b, size = b[k:], size-k
			}
			if size != 0 {
				t.Fatalf("%d acks from %d on are off by %d bytes", count, n, size)
			}
		}
	})
}

// TestScanWSAcksTogether: one call returns all consecutive acks that differ in the last digit only.
func TestScanWSAcksTogether(t *testing.T) {
	for _, first := range []uint64{1, 10, 12_340, 1_234_560, 12_345_670, 123_456_789_012_340} {
		var b []byte
		for n := first; n < first+20; n++ {
			b = append(b, wsAck(n)...)
		}
		if n, count, _ := scanWSAcks(b); n != first || count != 10-first%10 {
			t.Errorf("%d acks from %d on, want %d from %d on", count, n, 10-first%10, first)
		}
	}
}

func BenchmarkScanWSAcks(b *testing.B) {
	benchmarkScan(b, func(acks []byte) int { _, _, size := scanWSAcks(acks); return size })
}

func BenchmarkScanWSAck(b *testing.B) {
	benchmarkScan(b, func(acks []byte) int { _, size := scanWSAck(acks); return size })
}

// benchmarkScan runs scan over many acks; an iteration is one ack. scan returns the length of those
// that it has parsed.
func benchmarkScan(b *testing.B, scan func(acks []byte) int) {
	var acks []byte
	for n := range uint64(512) {
		acks = append(acks, wsAck(12345678+n)...)
	}
	acks = append(acks, make([]byte, wsAckDigits)...)
	for i := 0; i < b.N; i += 512 {
		for rest := acks; len(rest) > wsAckDigits; {
			rest = rest[scan(rest):]
		}
	}
}
