package assemble

import "bytes"

const (
	// maxItem is the longest name or value of a skipped part that is kept, in bytes.
	maxItem = 1 << 10
	// maxSkimmed is the most bytes kept of one part.
	maxSkimmed = 16 << 10
)

// skim keeps the short names and values of a part that is skipped because it is over
// --max-message, so that its request can be found and refused. It replaces long names by "" and
// long values by null. It checks no syntax, because the result is parsed.
type skim struct {
	out   []byte // the object so far
	over  bool   // out has become too long
	depth int    // of objects and arrays

	quoted, escaped bool // in a string; after a backslash in it

	// Of the name or value at depth 1.
	item  int // where it begins in out
	value bool
	long  bool
}

// add adds the next bytes of the object.
func (s *skim) add(b []byte) {
	for len(b) > 0 && !s.over {
		if s.quoted && s.long && !s.escaped {
			// Fast path: the inside of a long string is most of such a message.
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

// mark adds a byte that ends a name or value at depth 1.
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

// end returns what was kept, valid until the next add, and prepares for the next message.
func (s *skim) end() []byte {
	out := s.out
	if s.over {
		out = nil
	}
	*s = skim{out: s.out[:0]}
	return out
}
