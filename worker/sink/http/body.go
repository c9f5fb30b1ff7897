package httpsink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"feedgate/worker/selector"
)

// format is how a body has its messages: before, data, after for each.
type format struct {
	contentType string
	fits        func(data []byte) bool // nil: every message does
	misfit      error                  // why one does not

	first, between, last string // before the first message, between two, and after the last
	length               bool   // before each message, u32be length
}

// isJSON reports whether data are JSON as servers take it: in UTF-8 (RFC 8259, section 8.1).
func isJSON(data []byte) bool { return utf8.Valid(data) && selector.ValidJSON(data) }

// maxBody is the size of a body that servers and proxies take by default, nginx for example. A longer message is a
// body of its own.
const maxBody = 1 << 20

// maxBytes returns how many bytes of data fit maxBody with up to n messages, but at least half of it.
func (f *format) maxBytes(n int) int {
	each := len(f.between)
	if f.length {
		each += 4
	}
	return max(maxBody-n*each-len(f.first)-len(f.last), maxBody/2)
}

// formats are those of the parameter format.
var formats = map[string]format{
	"ndjson": ndjson,
	"json":   {contentType: "application/json", fits: isJSON, misfit: errors.New("not JSON in UTF-8"), first: "[", between: ",", last: "]"},
	"length": {contentType: "application/octet-stream", length: true},
}

var ndjson = format{
	contentType: "application/x-ndjson",
	fits:        func(data []byte) bool { return bytes.IndexByte(data, '\n') < 0 },
	misfit:      errors.New("a line feed in the message; format=length takes any"),
	between:     "\n", last: "\n",
}

// errReleased ends a request whose body is still being read when it has its outcome.
var errReleased = errors.New("the request has its outcome")

// content is the body of a request, made from the messages' own memory while it is read.
//
// The transport may read a body after the answer: a server may answer before it has the whole
// request. So all reading is under the lock, and copies; after release, it touches no message. That
// never waits for the network.
type content struct {
	format format
	size   int64 // of the body, in bytes

	mu      sync.Mutex
	parts   [][]byte // data of the messages; nil once released
	readers int      // more than one: the transport has sent the request again, on another connection
	whole   bool     // the latest reader has read all of it
}

// newContent returns the body with these messages, at least one. It owns parts until release.
func newContent(f format, parts [][]byte) *content {
	c := &content{format: f, parts: parts}
	c.size = int64(len(f.first) + (len(parts)-1)*len(f.between) + len(f.last))
	for _, data := range parts {
		c.size += int64(len(data))
	}
	if f.length {
		c.size += 4 * int64(len(parts))
	}
	return c
}

// reader returns the body from its beginning. The method is http.Request.GetBody.
func (c *content) reader() (io.ReadCloser, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers++
	c.whole = false
	return &reader{content: c}, nil
}

// release ends all reading. It returns whether the whole body was read, and whether it was read more
// than once.
func (c *content) release() (whole, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts = nil
	return c.whole, c.readers > 1
}

// reader is one pass through a content.
type reader struct {
	content *content
	next    int // the message to be read
	done    int // bytes of it, with what is before and after it, that have been read
	ended   bool
	scratch [8]byte
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (n int, err error) {
	c := r.content
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.ended {
		return 0, io.EOF // also after release: the transport asks once more, perhaps after the answer
	}
	if c.parts == nil {
		return 0, errReleased
	}
	for n < len(p) && r.next < len(c.parts) {
		n += r.message(p[n:])
	}
	if r.next == len(c.parts) {
		r.ended, c.whole = true, true
	}
	return n, nil
}

// message reads as much as possible of the next message, and of what is around it.
func (r *reader) message(p []byte) (n int) {
	f, data := &r.content.format, r.content.parts[r.next]
	before, after := r.scratch[:0], f.between
	if r.next == 0 {
		before = append(before, f.first...)
	}
	if f.length {
		before = binary.BigEndian.AppendUint32(before, uint32(len(data)))
	}
	if r.next == len(r.content.parts)-1 {
		after = f.last
	}
	skip := r.done
	if skip < len(before) {
		n += copy(p, before[skip:])
		skip = 0
	} else {
		skip -= len(before)
	}
	if skip < len(data) {
		n += copy(p[n:], data[skip:])
		skip = 0
	} else {
		skip -= len(data)
	}
	n += copy(p[n:], after[skip:])
	if r.done += n; r.done == len(before)+len(data)+len(after) {
		r.next, r.done = r.next+1, 0
	}
	return n
}

// Close implements [io.Closer]. Nothing is left to be closed.
func (r *reader) Close() error { return nil }
