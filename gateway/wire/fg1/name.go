package fg1

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
)

// errSurrogate is the fault of half a UTF-16 pair, which UTF-8 cannot encode.
var errSurrogate = errors.New("an escaped surrogate without its other half")

// name is a JSON string that must be returned to the server unchanged. Package json replaces what
// it cannot decode by U+FFFD, so that two names could become one.
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

// loneSurrogate reports whether a valid JSON literal contains an escaped surrogate without its
// other half.
func loneSurrogate(literal []byte) bool {
	for i := 0; i < len(literal); i++ {
		if literal[i] != '\\' {
			continue
		}
		r, ok := escaped(literal[i:])
		if !ok {
			i++ // the escaped character may be a backslash
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

// escaped decodes the \uXXXX at the beginning of b, if there is one.
func escaped(b []byte) (rune, bool) {
	if len(b) < escapeSize || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(b[2:escapeSize]), 16, 16)
	return rune(r), err == nil
}
