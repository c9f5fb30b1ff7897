package assemble

import (
	"bytes"
	"crypto/sha256"

	"feedgate/worker/selector"
)

// part is a message parsed as a part of a request.
type part struct {
	msg      []byte
	id       selector.JSONValue
	complete bool
	unfit    bool // COMPLETE is not a boolean, or DATA not a string

	// msg[from:to] is the content of the DATA string, still escaped. Without DATA it is empty,
	// before the object's closing brace, and has is false.
	from, to int
	has      bool
}

// parsePart parses a message. It returns false unless that is a JSON object with a scalar ID.
// null counts as absent, and is neither a boolean nor a string.
func parsePart(msg []byte, fields [][]byte) (part, bool) {
	var values [names]selector.JSONValue
	if !selector.FindMembers(msg, fields, values[:]) {
		return part{}, false
	}
	p := part{msg: msg, id: values[nameID]}
	switch at(msg, p.id) {
	case 0, '{', '[', 'n':
		return part{}, false
	}
	switch complete := values[nameComplete]; at(msg, complete) {
	case 't':
		p.complete = true
	case 'f', 0:
	default:
		p.unfit = true
	}
	switch data := values[nameData]; at(msg, data) {
	case '"':
		p.from, p.to, p.has = data.Start+1, data.End-1, true
	case 0:
		p.from = bytes.LastIndexByte(msg, '}')
		p.to = p.from
	default:
		p.unfit = true
	}
	return p, true
}

// at returns the first byte of v; 0 if v is absent.
func at(msg []byte, v selector.JSONValue) byte {
	if v.End == 0 {
		return 0
	}
	return msg[v.Start]
}

// maxKey is the longest ID that is kept unhashed, in bytes.
const maxKey = 64

// appendKey appends a key that is unique to the request's ID. For a string it is the decoded
// string after a quote, with which no other scalar begins; for another scalar, its text. For a
// long ID it is the SHA-256 after a 0 byte, with which no scalar begins, so that neither open nor
// refused requests hold long IDs.
func (p *part) appendKey(dst []byte) []byte {
	n := len(dst)
	if at(p.msg, p.id) == '"' {
		dst = p.id.AppendString(append(dst, '"'), p.msg)
	} else {
		dst = append(dst, p.msg[p.id.Start:p.id.End]...)
	}
	if len(dst)-n > maxKey {
		sum := sha256.Sum256(dst[n:])
		dst = append(append(dst[:n], 0), sum[:]...)
	}
	return dst
}
