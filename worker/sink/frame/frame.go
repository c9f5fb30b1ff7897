// Package frame has the formats in which sinks write one message after another to a stream or a
// file.
package frame

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode/utf8"

	"feedgate/worker"
	"feedgate/worker/sink"
)

// Framing is the format of a message in a stream, ?frame= in a URL. A message in its format is a
// record.
type Framing uint8

const (
	Line   Framing = iota // the message and LF
	Length                // u32be length and the message
	JSON                  // {"seq":N,"id":"...","data":"..."} and LF
)

// UsesMeta reports whether a record has more of a message than its data; see [sink.Target].
func (f Framing) UsesMeta() bool { return f == JSON }

// byName are the values of ?frame=.
var byName = map[string]Framing{"line": Line, "length": Length, "json": JSON}

// Help is for [sink.Kind.Details].
const Help = "write u32be length and the message with ?frame=length, and a line of JSON with ?frame=json"

// ParseURL splits PATH?frame=FRAMING; the default is Line.
func ParseURL(u sink.URL) (path string, f Framing, err error) {
	const param = "frame"
	path, query, err := u.Path(param)
	if err != nil {
		return "", Line, err
	}
	value, given := query[param]
	if !given {
		return path, Line, nil
	}
	f, known := byName[value]
	if !known {
		return "", Line, fmt.Errorf("frame=%s is not line, length or json", value)
	}
	return path, f, nil
}

// HeaderSize is the length of the length field of Length.
const HeaderSize = 4

// Append appends the record of a message to dst.
func (f Framing) Append(dst []byte, m worker.Message) []byte {
	switch f {
	case Length:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Data)))
		return append(dst, m.Data...)
	case JSON:
		return appendJSON(dst, m)
	default:
		return append(append(dst, m.Data...), '\n')
	}
}

// appendJSON appends a message as a line of JSON. Data that are not UTF-8 cannot be a JSON string;
// they are in data64 instead, as base64 (RFC 4648, section 4).
func appendJSON(dst []byte, m worker.Message) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, m.Seq, 10)
	dst = appendID(dst, m)
	if utf8.Valid(m.Data) {
		dst = append(dst, `","data":"`...)
		dst = appendEscaped(dst, m.Data)
	} else {
		dst = append(dst, `","data64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Data)
	}
	return append(dst, "\"}\n"...)
}

// appendID appends the member with the message's ID, without the closing quote. An ID that is not
// UTF-8 is in id64, because replacing bytes could make two IDs equal. The member is first made
// behind the raw ID, which it then overwrites.
func appendID(dst []byte, m worker.Message) []byte {
	start := len(dst)
	dst = m.AppendID(dst)
	end := len(dst)
	if utf8.Valid(dst[start:end]) {
		dst = append(dst, `,"id":"`...)
		dst = appendEscaped(dst, dst[start:end])
	} else {
		dst = append(dst, `,"id64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, dst[start:end])
	}
	n := copy(dst[start:], dst[end:])
	return dst[:start+n]
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends the inside of a JSON string; s is UTF-8. Beyond RFC 8259, section 7, it
// escapes U+0085, U+2028 and U+2029, which some readers take for the end of a line.
func appendEscaped(dst, s []byte) []byte {
	clean := 0 // s[clean:i] needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(s[i:])
			if r != 0x85 && r != 0x2028 && r != 0x2029 {
				i += size
				continue
			}
		}
		dst = append(dst, s[clean:i]...)
		dst = appendEscape(dst, r)
		i += size
		clean = i
	}
	return append(dst, s[clean:]...)
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u',
		hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
