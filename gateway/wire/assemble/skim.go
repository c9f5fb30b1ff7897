package assemble

import "bytes"

const (
	// maxItem is the longest name or value that is kept of a skipped part, in bytes.
	maxItem = 1 << 10
	// maxSkimmed is the most that is kept of one.
	maxSkimmed = 16 << 10
)

// skim keeps the short names and values of a JSON object that is skipped because it is
// over --max-message, so that the request can be refused whose part it is. It replaces
// long names by "" and long values by null, and checks nothing: the result is parsed.
type skim struct {
	out   []byte // the object so far
	over  bool   // it was too long to be kept
	depth int    // of objects and arrays

	quoted, escaped bool // in a string; behind a backslash of it

	// Of the name or value at depth 1.
	item  int // where it begins in out
	value bool
	long  bool
}

// add takes the next bytes of the object.
func (s *skim) add(b []byte) {
	for len(b) > 0 && !s.over {
		if s.quoted && s.long && !s.escaped {
			// The inside of a long string, which is most of a message that is too long.
			i := bytes.IndexAny(b, `"\\`)
			if i < 0 {
				return
			}
			b = b[i:]
		}
		s.step(b[0])
		b = b[1:]
		s.over = len(s.out) > maxSkimmed
	}
}

func (s *skim) step(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.quoted:
		s.escaped, s.quoted = c == '\\', c != '"'
	case s.depth == 0 && c <= ' ':
		return
	case c == '"':
		s.quoted = true
	case c == '{' || c == '[':
		if s.depth++; s.depth == 1 {
			s.mark(c, false)
			return
		}
	case c == '}' || c == ']':
		if s.depth--; s.depth == 0 {
			s.mark(c, false)
			return
		}
	case c == ',' && s.depth == 1:
		s.mark(c, false)
		return
	case c == ':' && s.depth == 1:
		s.mark(c, true)
		return
	}
	if len(s.out)-s.item < maxItem {
		s.out = append(s.out, c)
	} else {
		s.long = true
	}
}

// mark takes what stands between the names and values at depth 1.
func (s *skim) mark(c byte, value bool) {
	if s.long {
		s.out = s.out[:s.item]
		if s.value {
			s.out = append(s.out, "null"...)
		} else {
			s.out = append(s.out, `""`...)
		}
	}
	s.out = append(s.out, c)
	s.item, s.value, s.long = len(s.out), value, false
}

// end returns what was kept, to be used before the next add, and begins with another
// message.
func (s *skim) end() []byte {
	out := s.out
	if s.over {
		out = nil
	}
	*s = skim{out: s.out[:0]}
	return out
}
