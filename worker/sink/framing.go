package sink

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"log/slog"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"feedgate/worker"
)

// framing is how stdout: and file: separate messages, ?frame= in their URLs. What
// it makes of one message is a record.
type framing uint8

const (
	frameLine   framing = iota // the message and LF
	frameLength                // u32be length and the message
	frameJSON                  // {"seq":N,"id":"...","data":"..."} and LF
)

// framings are the values of ?frame=.
var framings = map[string]framing{"line": frameLine, "length": frameLength, "json": frameJSON}

// frameHeader is the length of the length field of frameLength.
const frameHeader = 4

// append adds the record of a message to dst.
func (f framing) append(dst []byte, m worker.Message) []byte {
	switch f {
	case frameLength:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Data)))
		return append(dst, m.Data...)
	case frameJSON:
		return appendJSON(dst, m)
	default:
		return append(append(dst, m.Data...), '\n')
	}
}

// appendJSON adds a message as a line of JSON. A message that is not UTF-8 cannot
// be a JSON string; it becomes base64 (RFC 4648, section 4) in data64.
func appendJSON(dst []byte, m worker.Message) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, m.Seq, 10)
	// No protocol reports an identifier yet.
	dst = append(dst, `,"id":""`...)
	if utf8.Valid(m.Data) {
		dst = append(dst, `,"data":"`...)
		dst = appendEscaped(dst, m.Data)
	} else {
		dst = append(dst, `,"data64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Data)
	}
	return append(dst, "\"}\n"...)
}

const hexDigits = "0123456789abcdef"

// appendEscaped adds the inside of a JSON string. s is UTF-8. Beyond what RFC 8259,
// section 7, requires, it escapes what some readers take for the end of a line:
// U+0085, U+2028 and U+2029.
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

// splitWarning is logged once per sink if a message contains LF, so that line framing makes
// several lines of it. Workers look for LF; the writing goroutine logs, because a log may
// block and a worker must not.
type splitWarning struct {
	off    bool // the framing keeps messages whole
	seen   atomic.Bool
	logged bool // the writing goroutine's
}

// look notes whether a message contains LF. Any worker may call it.
func (w *splitWarning) look(data []byte) {
	if !w.off && !w.seen.Load() && bytes.IndexByte(data, '\n') >= 0 {
		w.seen.Store(true)
	}
}

// give logs the warning once a message with LF was seen. Writing goroutine only.
func (w *splitWarning) give(log *slog.Logger) {
	if !w.logged && w.seen.Load() {
		w.logged = true
		log.Warn("a message contains LF: it is several lines in the output; add ?frame=length or ?frame=json to keep messages apart")
	}
}
