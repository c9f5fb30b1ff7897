package selector

import (
	"errors"
	"fmt"
	"strconv"
)

// UnescapeByte decodes the escape at the beginning of s, one of
//
//	\n \r \t \0 \\ \xHH
//
// which selectors and templates may have. size is the length of its text.
func UnescapeByte(s string) (b byte, size int, err error) {
	if len(s) >= 2 && s[0] == '\\' {
		switch s[1] {
		case 'n':
			return '\n', 2, nil
		case 'r':
			return '\r', 2, nil
		case 't':
			return '\t', 2, nil
		case '0':
			return 0, 2, nil
		case '\\':
			return '\\', 2, nil
		case 'x':
			if len(s) < 4 {
				break
			}
			if v, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
				return byte(v), 4, nil
			}
		}
	}
	if len(s) == 1 {
		return 0, 0, errors.New(`a backslash at the end begins no escape; a literal one is \\`)
	}
	return 0, 0, fmt.Errorf(`unknown escape %s; there are \n \r \t \0 \\ \xHH`, s[:2])
}

// Unescape decodes the escapes of s. An error has the position of the fault, in bytes from 1.
func Unescape(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b = append(b, s[i])
			i++
			continue
		}
		c, size, err := UnescapeByte(s[i:])
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w", i+1, err)
		}
		b = append(b, c)
		i += size
	}
	return b, nil
}
