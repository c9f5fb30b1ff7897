package stream

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"feedgate/gateway/wire/wiretest"
)

// TestOversizedAtEverySplit: two reads, split at every byte, and one read per byte have the same
// result as one read. The decoder never waits for a piece of an oversized message.
func TestOversizedAtEverySplit(t *testing.T) {
	const limit = 4
	messages := []string{"ab", "abcde", "", "abcd", "abcd\r", "aa\raa\raa\r", "abcdefghijklmnopqrstuvwxyz", "c"}
	for frame, encode := range map[string]func(m string) string{
		"line":           func(m string) string { return m + "\n" },
		"delim:0d0a":     func(m string) string { return m + "\r\n" },
		"delim:61610a":   func(m string) string { return m + "aa\n" },
		"delim:0d0d0d0a": func(m string) string { return m + "\r\r\r\n" },
		"length:size=1":  func(m string) string { return string(rune(len(m))) + m },
		"length:offset=2,size=2,strip=3,order=little,adjust=-1": func(m string) string {
			return "HD" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(m)+2)))[:1] + "\x00" + m + "."
		},
		"varint": func(m string) string { return string(binary.AppendUvarint(nil, uint64(len(m)))) + m },
	} {
		stream := ""
		for _, m := range messages {
			stream += encode(m)
		}
		p := mustNew(t, Config{Frame: frame, MaxMessage: limit})
		whole := wiretest.Run(t, p.NewConn(), []byte(stream), wiretest.Whole(len(stream)))
		if whole.Err != nil || len(whole.Msgs) != len(messages) || whole.Skipped == 0 || whole.Rest > 0 {
			t.Fatalf("%s: %v, %d messages, %d skipped, %d bytes left", frame, whole.Err, len(whole.Msgs), whole.Skipped, whole.Rest)
		}
		plans := []wiretest.Plan{wiretest.ByteByByte()}
		for cut := 1; cut < len(stream); cut++ {
			plans = append(plans,
				wiretest.Plan{Buffer: len(stream), Msgs: 1 + cut%3, Steps: []int{cut, len(stream)}},
				wiretest.Plan{Buffer: 1, Msgs: 1 + cut%3, Steps: []int{cut, -len(stream)}})
		}
		for i, plan := range plans {
			t.Run(fmt.Sprint(frame, " ", i), func(t *testing.T) {
				wiretest.Compare(t, wiretest.Run(t, p.NewConn(), []byte(stream), plan.WithLimit(limit+10)), whole)
			})
		}
	}
}

// TestOversizedIsScannedOnce feeds 16 MiB of an oversized message in small pieces.
func TestOversizedIsScannedOnce(t *testing.T) {
	const size = 16 << 20
	for frame, end := range map[string]string{"line": "\n", "delim:0d0a": "\r\n", "delim:0d0d0d0d0d0d0d0a": "\r\r\r\r\r\r\r\n"} {
		p := mustNew(t, Config{Frame: frame, MaxMessage: 1 << 10})
		stream := []byte(strings.Repeat("\r", size) + end + "a" + end)
		plan := wiretest.Plan{Buffer: 64 << 10, Msgs: 4, Steps: []int{997, 3, 64}}
		r := wiretest.Run(t, p.NewConn(), stream, plan.WithLimit(1<<10+10))
		if r.Err != nil || len(r.Msgs) != 2 || r.Skipped != 1 || string(r.Msgs[1].Data) != "a" || r.Longest < size-1 {
			t.Errorf("%s: %v, %d messages, %d skipped of up to %d bytes", frame, r.Err, len(r.Msgs), r.Skipped, r.Longest)
		}
	}
}
