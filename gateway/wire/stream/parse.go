package stream

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// lineSkipEmpty is line, except that empty lines are signs of life only.
const lineSkipEmpty = "line:skip-empty"

var errFrame = errors.New("want line, line:skip-empty, delim:HEX, length:KEY=VALUE,... or varint")

// parseFrame parses --frame. It returns a function that makes the framer of a connection, for
// messages of at most limit bytes, and the most bytes that a frame has beside its message.
func parseFrame(text string, limit int) (newFramer func() framer, overhead int, err error) {
	kind, arg, hasArg := strings.Cut(text, ":")
	switch {
	case text == "":
		return nil, 0, fmt.Errorf("is missing: %w", errFrame)
	case text == "line", text == lineSkipEmpty:
		return func() framer { return &lines{max: limit} }, len("\r\n"), nil
	case text == "varint":
		return func() framer { return &varints{max: limit} }, binary.MaxVarintLen64, nil
	case kind == "delim" && hasArg:
		delim, err := hex.DecodeString(arg)
		if err != nil || len(delim) < 1 || len(delim) > 8 {
			return nil, 0, fmt.Errorf("%q: the delimiter is not 1 to 8 bytes in hexadecimal digits", text)
		}
		return func() framer { return &delimited{max: limit, delim: delim} }, len(delim), nil
	case kind == "length":
		l, err := parseLayout(arg)
		if err == nil {
			err = l.check(limit)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%q: %w", text, err)
		}
		return func() framer { return newLengths(l, limit) }, max(l.strip, l.offset+l.size), nil
	}
	return nil, 0, fmt.Errorf("%q: %w", text, errFrame)
}

// parseLayout parses the keys of a length frame, all optional. The default of strip is offset +
// size: the message is what follows the length field.
func parseLayout(text string) (layout, error) {
	l := layout{size: 4, strip: -1}
	seen := map[string]bool{}
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, ",")
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return layout{}, fmt.Errorf("%q is not KEY=VALUE", pair)
		}
		if seen[key] {
			return layout{}, fmt.Errorf("%s is given twice", key)
		}
		seen[key] = true
		if err := l.set(key, value); err != nil {
			return layout{}, err
		}
	}
	if l.strip < 0 {
		l.strip = l.offset + l.size
	}
	return l, nil
}

// set sets one key. The bounds keep every sum of the fields within an int.
func (l *layout) set(key, value string) error {
	target, least := &l.offset, 0
	switch key {
	case "offset":
	case "size":
		target = &l.size
	case "strip":
		target = &l.strip
	case "adjust":
		target, least = &l.adjust, -maxAdjust
	case "order":
		if value != "big" && value != "little" {
			return fmt.Errorf("order %q is neither big nor little", value)
		}
		l.little = value == "little"
		return nil
	default:
		return fmt.Errorf("unknown key %q; the keys are offset, size, adjust, strip and order", key)
	}
	v, err := strconv.ParseInt(value, 10, 64)
	if err != nil || v < int64(least) || v > maxAdjust {
		return fmt.Errorf("%s %q is not a number from %d to %d", key, value, least, maxAdjust)
	}
	*target = int(v)
	return nil
}
