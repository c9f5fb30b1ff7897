package fg1

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
)

// errSurrogate is half a character, which no UTF-8 can say.
var errSurrogate = errors.New("an escaped surrogate without its other half")

// name is a JSON string that must come back to the server as it was. Package json makes
// U+FFFD of what it cannot decode, so that two names would become one.
type name string

// UnmarshalJSON implements [json.Unmarshaler].
func (n *name) UnmarshalJSON(literal []byte) error {
	if err := json.Unmarshal(literal, (*string)(n)); err != nil {
		return err
	}
	if loneSurrogate(literal) {
		return errSurrogate
	}
	return nil
}

// loneSurrogate reports whether a valid JSON literal has an escaped surrogate that is
// not one of a pair.
func loneSurrogate(literal []byte) bool {
	for i := 0; i < len(literal); i++ {
		if literal[i] != '\\' {
			continue
		}
		r, ok := escaped(literal[i:])
		if !ok {
			i++ // what is escaped may be a backslash
			continue
		}
		i += escapeSize - 1
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, _ := escaped(literal[i+1:])
		if utf16.DecodeRune(r, low) == '\uFFFD' {
			return true
		}
		i += escapeSize
	}
	return false
}

// escapeSize is the length of \uXXXX.
const escapeSize = 6

// escaped decodes the \uXXXX that b begins with; false when it does not.
func escaped(b []byte) (rune, bool) {
	if len(b) < escapeSize || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(b[2:escapeSize]), 16, 16)
	return rune(r), err == nil
}
