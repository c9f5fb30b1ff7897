package ws

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// TestScannerFindsCloseWhereverTheStreamIsCut: payloads may look like frames.
func TestScannerFindsCloseWhereverTheStreamIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := []byte("HTTP/1.1 101 Switching Protocols\r\n\x88: \r\r\n\n\r\n\r\n")
		ops := rapid.SampledFrom([]byte{0, 1, 2, 9, 10, 0x80, 0x81, 0x82, 0x89, 0x8a})
		sizes := rapid.OneOf(rapid.IntRange(0, 5), rapid.IntRange(120, 130), rapid.SampledFrom([]int{300, 65535, 65536}))
		for range rapid.IntRange(0, 8).Draw(t, "frames") {
			stream = append(stream, ops.Draw(t, "op"))
			switch n := sizes.Draw(t, "size"); {
			case n < length16:
				stream = append(append(stream, byte(n)), bytes.Repeat([]byte{0x88}, n)...)
			case n < 1<<16:
				stream = binary.BigEndian.AppendUint16(append(stream, length16), uint16(n))
				stream = append(stream, bytes.Repeat([]byte{0x88}, n)...)
			default:
				stream = binary.BigEndian.AppendUint64(append(stream, length64), uint64(n))
				stream = append(stream, bytes.Repeat([]byte{0x88}, n)...)
			}
		}
		want := -1
		if rapid.Bool().Draw(t, "closes") {
			want = len(stream)
			stream = append(stream, 0x88, 0x02, 0x03, 0xe8)
		}
		piece := rapid.SampledFrom([]int{1, 3, 100, 70_000}).Draw(t, "piece")
		end := rapid.IntRange(1, piece).Draw(t, "first")
		got, s := -1, new(scanner)
		for at := 0; at < len(stream); at, end = end, end+piece {
			end = min(end, len(stream))
			if i := s.closeAt(stream[at:end]); i >= 0 {
				if got >= 0 {
					t.Fatal("found twice")
				}
				got = at + i
			}
		}
		if got != want {
			t.Fatalf("found at %d, is at %d", got, want)
		}
	})
}

// FuzzScanner: whatever arrives, the scanner does not panic, and its result does not depend on how
// the stream is split.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("\r\n\r\n\x81\x03abc\x88\x02\x03\xe8"), 3)
	f.Add([]byte("\r\n\r\n\x82\x7e\x00\x02ab\x8a\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x88"), 1)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		piece = max(1, min(piece, len(b)))
		want := new(scanner).closeAt(b)
		got := -1
		s := new(scanner)
		for at := 0; at < len(b); at += piece {
			if i := s.closeAt(b[at:min(at+piece, len(b))]); i >= 0 {
				got = at + i
			}
		}
		if got != want {
			t.Errorf("found at %d in pieces of %d, at %d in one", got, piece, want)
		}
	})
}
