package assemble

import (
	"bytes"
	"crypto/sha256"

	"feedgate/worker/selector"
)

// part is what a message says of the request that it is a part of.
type part struct {
	msg      []byte
	id       selector.JSONValue
	complete bool
	unfit    bool // COMPLETE is no boolean, or DATA no string

	// msg[from:to] is the inside of DATA, escapes and all. Without DATA it is
	// empty, before the object's last brace, and has is false.
	from, to int
	has      bool
}

// parsePart reads a message; false when it is not a JSON object or has no ID that is
// a scalar. null is none, and neither a boolean nor a string.
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

// at is the byte that v begins with; 0 when there is no v.
func at(msg []byte, v selector.JSONValue) byte {
	if v.End == 0 {
		return 0
	}
	return msg[v.Start]
}

// maxKey is the longest ID that is kept as it is.
const maxKey = 64

// appendKey appends what tells the request's ID from all others: a string decoded,
// behind a quote, which no other scalar begins with; another scalar as it stands. Of
// a long one it is the SHA-256, behind a byte that no scalar begins with, so that
// neither open nor refused requests hold more of it.
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
