package stream

import (
	"encoding/hex"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/wiretest"
)

// planBytes makes a plan by which streams arrive.
var planBytes = rapid.SliceOfN(rapid.Byte(), 0, 12)

func TestLineProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{"\n", "\r\n", "\r", "a", "bc", "#", "defgh"})
	rapid.Check(t, func(t *rapid.T) {
		checkLine(t, drawStream(t, piece), planBytes.Draw(t, "plan"), drawLimit(t), drawIgnore(t))
	})
}

func TestDelimProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{"\n", "\r\n", "\r", "aab", "a", "b", "#", "defgh"})
	delim := rapid.SampledFrom([]string{"\n", "\r\n", "ab", "aab", "aaa", "abaabaab"})
	rapid.Check(t, func(t *rapid.T) {
		checkDelim(t, drawStream(t, piece), planBytes.Draw(t, "plan"), drawLimit(t), drawIgnore(t),
			[]byte(delim.Draw(t, "delimiter")))
	})
}

func TestLengthProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{"\x00", "\x00\x00\x00", "\x01", "\x02", "\x05", "\x00\x02ab", "#", "\xff", "\x00\x00\x00\x03#bc"})
	rapid.Check(t, func(t *rapid.T) {
		checkLength(t, drawStream(t, piece), planBytes.Draw(t, "plan"), drawLimit(t), drawIgnore(t),
			rapid.Byte().Draw(t, "shape"), rapid.ByteMax(12).Draw(t, "offset"), rapid.Int8Range(-12, 12).Draw(t, "adjust"),
			rapid.ByteMax(20).Draw(t, "strip"))
	})
}

func TestVarintProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{"\x00", "\x01a", "\x02#b", "\x83\x00abc", "\x80", "\xff\xff", "\x01", "\x7f", "defgh"})
	rapid.Check(t, func(t *rapid.T) {
		checkVarint(t, drawStream(t, piece), planBytes.Draw(t, "plan"), drawLimit(t), drawIgnore(t))
	})
}

func drawStream(t *rapid.T, piece *rapid.Generator[string]) []byte {
	var stream []byte
	for _, p := range rapid.SliceOf(piece).Draw(t, "stream") {
		stream = append(stream, p...)
	}
	return stream
}

// drawLimit draws a limit that messages often exceed.
func drawLimit(t *rapid.T) byte {
	return rapid.OneOf(rapid.ByteMax(12), rapid.Byte()).Draw(t, "max")
}

func drawIgnore(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "#", "a"}).Draw(t, "ignore")
}

func newRefConfig(limit byte, ignore string) refConfig {
	most := 1 + int(limit)
	return refConfig{max: most, longest: 3 * most, ignore: ignore}
}

func checkLine(t wiretest.T, stream, plan []byte, limit byte, ignore string) {
	t.Helper()
	c := newRefConfig(limit, ignore)
	compare(t, "line", c, stream, wiretest.FromBytes(plan), refLine)
	c.skipEmpty = true
	compare(t, lineSkipEmpty, c, stream, wiretest.FromBytes(plan), refLine)
}

func checkDelim(t wiretest.T, stream, plan []byte, limit byte, ignore string, delim []byte) {
	t.Helper()
	if len(delim) < 1 || len(delim) > 8 {
		return
	}
	compare(t, "delim:"+hex.EncodeToString(delim), newRefConfig(limit, ignore), stream, wiretest.FromBytes(plan),
		refDelim(delim))
}

func checkLength(t wiretest.T, stream, plan []byte, limit byte, ignore string, shape, offset byte, adjust int8, strip byte) {
	t.Helper()
	l := layout{
		size: []int{1, 2, 3, 4, 8}[shape%5], little: shape >= 128,
		offset: int(offset), adjust: int(adjust), strip: int(strip),
	}
	c := newRefConfig(limit, ignore)
	if l.check(c.max) != nil {
		return
	}
	order := "big"
	if l.little {
		order = "little"
	}
	frame := fmt.Sprintf("length:offset=%d,size=%d,adjust=%d,strip=%d,order=%s", l.offset, l.size, l.adjust, l.strip, order)
	compare(t, frame, c, stream, wiretest.FromBytes(plan), refLength(l))
}

func checkVarint(t wiretest.T, stream, plan []byte, limit byte, ignore string) {
	t.Helper()
	compare(t, "varint", newRefConfig(limit, ignore), stream, wiretest.FromBytes(plan), refVarint)
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("a\r\nbc\n\n#d\r"), []byte{1, 2, 0x81, 3}, byte(9), "#")
	f.Add([]byte("abcdefghij\r\r\n"), []byte{}, byte(9), "")
	f.Fuzz(func(t *testing.T, stream, plan []byte, limit byte, ignore string) {
		checkLine(t, stream, plan, limit, ignore)
	})
}

func FuzzDelim(f *testing.F) {
	f.Add([]byte("a\r\nbc\r\r\n\n#d\r"), []byte{1, 2, 0x81, 3}, byte(9), "#", []byte("\r\n"))
	f.Add([]byte("aabaabaab"), []byte{0, 0, 0x80}, byte(2), "", []byte("aab"))
	f.Fuzz(func(t *testing.T, stream, plan []byte, limit byte, ignore string, delim []byte) {
		checkDelim(t, stream, plan, limit, ignore, delim)
	})
}

func FuzzLength(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02ab\x00\x00\x00\x01#"), []byte{1, 2, 0x81, 3}, byte(9), "#", byte(3), byte(0), int8(0), byte(4))
	f.Add([]byte("T\x04\x00aT\x05\x00abx"), []byte{}, byte(9), "", byte(128), byte(1), int8(-3), byte(0))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"), []byte{7}, byte(255), "", byte(4), byte(0), int8(math.MinInt8), byte(8))
	f.Fuzz(func(t *testing.T, stream, plan []byte, limit byte, ignore string, shape, offset byte, adjust int8, strip byte) {
		checkLength(t, stream, plan, limit, ignore, shape, offset, adjust, strip)
	})
}

func FuzzVarint(f *testing.F) {
	f.Add([]byte("\x00\x02ab\x83\x00#cd\x80"), []byte{1, 2, 0x81, 3}, byte(9), "#")
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), []byte{3, 3}, byte(255), "")
	f.Fuzz(func(t *testing.T, stream, plan []byte, limit byte, ignore string) {
		checkVarint(t, stream, plan, limit, ignore)
	})
}
