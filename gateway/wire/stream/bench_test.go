package stream

import (
	"bytes"
	"encoding/binary"
	"testing"

	"feedgate/gateway/wire"
)

// streams are 64 KiB or so of messages of size bytes, by framing.
func streams(size int) map[string][]byte {
	message := bytes.Repeat([]byte("x"), size)
	s := map[string][]byte{}
	for range 64 << 10 / size {
		s["line"] = append(append(s["line"], message...), '\n')
		s["delim:0d0a"] = append(append(s["delim:0d0a"], message...), "\r\n"...)
		s["length"] = append(binary.BigEndian.AppendUint32(s["length"], uint32(size)), message...)
		s["length:size=2,order=little"] = append(binary.LittleEndian.AppendUint16(s["length:size=2,order=little"], uint16(size)), message...)
		s["varint"] = append(binary.AppendUvarint(s["varint"], uint64(size)), message...)
	}
	return s
}

func BenchmarkDecode(b *testing.B) {
	for frame, stream := range streams(64) {
		b.Run(frame, func(b *testing.B) {
			conn := mustNew(b, Config{Frame: frame}).NewConn()
			in := wire.Input{Msgs: make([]wire.Msg, 0, 2048)}
			if err := conn.Decode(nil, &in); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				in.Msgs, in.Start, in.Keep, in.Scan = in.Msgs[:0], 0, 0, 0
				if err := conn.Decode(stream, &in); err != nil || in.Scan != len(stream) {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(in.Msgs)), "ns/msg")
		})
	}
}
