package feedserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sort"
)

const (
	// blockBytes is the approximate length of all synthetic messages. They fit into a core's
	// second-level cache beside the kernel's socket buffers.
	blockBytes = 256 << 10
	// blockMessages is the largest number of different synthetic messages.
	blockMessages = 8192
	// maxReplay is the longest file to replay, in bytes. With its framing, its offsets must fit into 32
	// bits.
	maxReplay = 1 << 30
)

// source is one cycle of payloads. Message n has payload (n-1) modulo their number.
type source struct {
	payloads [][]byte
	ends     [][]byte // their line ends; nil: LF each
}

// synthetic generates payloads of size bytes each from printable characters, with a framing of about
// that many bytes.
func synthetic(size, framing int) source {
	n := min(max(blockBytes/(size+max(framing, 16)), 1), blockMessages)
	all := make([]byte, 0, n*size)
	src := source{payloads: make([][]byte, n)}
	for i := range src.payloads {
		all = appendPattern(all, uint64(i), size)
		src.payloads[i] = all[i*size : (i+1)*size : (i+1)*size]
	}
	return src
}

// appendPattern appends payload i: the output of a xorshift generator, six bits per character.
func appendPattern(dst []byte, i uint64, size int) []byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-"
	x := (i + 1) * 0x9E3779B97F4A7C15
	for range size {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		dst = append(dst, alphabet[x>>58])
	}
	return dst
}

// replay returns the lines of a file as payloads. A last line without a line end gets one.
func replay(path string) (source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return source{}, err
	}
	if info.Size() > maxReplay {
		return source{}, fmt.Errorf("%s is longer than %d bytes", path, maxReplay)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return source{}, err
	}
	if len(data) == 0 {
		return source{}, fmt.Errorf("%s is empty", path)
	}
	var src source
	for line := range bytes.Lines(data) {
		payload, end := line, []byte("\n")
		if whole, ok := bytes.CutSuffix(line, end); ok {
			payload = bytes.TrimSuffix(whole, []byte("\r"))
			end = line[len(payload):]
		}
		src.payloads = append(src.payloads, payload)
		src.ends = append(src.ends, end)
	}
	return src, nil
}

// end is the line end of payload i.
func (s source) end(i int) []byte {
	if s.ends == nil {
		return []byte("\n")
	}
	return s.ends[i]
}

// stream is one cycle of rendered messages with arbitrary sequence numbers. All sessions share it; it
// does not change.
type stream struct {
	bytes  []byte
	ends   []uint32 // end of each message, as an offset in bytes
	stride int      // length of every message; 0: they differ
}

// newStream renders a source.
func newStream(src source, proto protocol) (*stream, error) {
	st := &stream{ends: make([]uint32, len(src.payloads))}
	for i, payload := range src.payloads {
		before := len(st.bytes)
		st.bytes = proto.appendMessage(st.bytes, i, payload, src.end(i))
		if len(st.bytes) > 2*maxReplay {
			return nil, errors.New("the file is too long with its framing")
		}
		st.ends[i] = uint32(len(st.bytes))
		switch length := len(st.bytes) - before; {
		case i == 0:
			st.stride = length
		case length != st.stride:
			st.stride = 0
		}
	}
	return st, nil
}

// batch are consecutive rendered messages.
type batch struct {
	buf      []byte
	first, n uint64

	ends   []uint32 // of the messages, as offsets in the stream
	begin  uint32   // offset of buf in the stream
	stride int      // as in stream
	whole  uint64   // messages that end at or before the off of the last firstAfter
}

// cut sets b to the messages from seq on: at most n, at most limit bytes, but at least one, and none
// beyond the end of the cycle.
func (st *stream) cut(b *batch, seq, n uint64, limit int) {
	i := int((seq - 1) % uint64(len(st.ends)))
	var begin uint32
	if i > 0 {
		begin = st.ends[i-1]
	}
	end := i + int(min(n, uint64(len(st.ends)-i)))
	if int(st.ends[end-1]-begin) > limit {
		fits := sort.Search(end-i, func(k int) bool { return int(st.ends[i+k]-begin) > limit })
		end = i + max(fits, 1)
	}
	*b = batch{
		buf: st.bytes[begin:st.ends[end-1]], first: seq, n: uint64(end - i),
		ends: st.ends[i:end], begin: begin, stride: st.stride,
	}
}

// firstAfter returns the number of the first message that ends after offset off of buf. off must not
// decrease between calls.
func (b *batch) firstAfter(off int) uint64 {
	if b.stride > 0 {
		return b.first + uint64(off/b.stride)
	}
	for b.whole < b.n && int(b.ends[b.whole]-b.begin) <= off {
		b.whole++
	}
	return b.first + b.whole
}
