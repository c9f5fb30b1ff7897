package ws

import (
	"fmt"
	"testing"

	"feedgate/gateway/wire"
)

// TestNeed: how many contiguous bytes, from the first undecoded one, the decoder waits for.
func TestNeed(t *testing.T) {
	p := mustNew(t, Config{})
	for name, c := range map[string]struct {
		in   []byte
		need int
	}{
		"nothing":                       {nil, 2},
		"one byte of a header":          {text("a")[:1], 2},
		"a header":                      {text("abc")[:2], 5},
		"a payload but for a byte":      {text("abc")[:4], 5},
		"a 2-byte length":               {text(ascii(300))[:2], 4},
		"a 2-byte length, half":         {text(ascii(300))[:3], 4},
		"behind a 2-byte length":        {text(ascii(300))[:4], 304},
		"an 8-byte length":              {bin(bytesOf(70000))[:9], 10},
		"behind an 8-byte length":       {bin(bytesOf(70000))[:10], 70010},
		"behind a message":              {cat(text("abc"), text("de")[:3]), 4},
		"behind the first fragment":     {cat(textOn("abc"), last("de")[:3]), 4},
		"a ping":                        {ping("abc")[:3], 5},
		"a ping within a message":       {cat(textOn("abc"), ping("abc")[:3]), 5},
		"behind a message and nothing":  {text("abc"), 2},
		"behind a fragment and nothing": {textOn("abc"), 2},
	} {
		in := wire.Input{Msgs: make([]wire.Msg, 0, 4)}
		if err := opened(t, p).Decode(c.in, &in); err != nil || in.Need != c.need {
			t.Errorf("%s: %d, want %d (error: %v)", name, in.Need, c.need, err)
		}
	}
}

// TestLimits sends messages as long as --max-message and one byte longer, in one frame and
// in two.
func TestLimits(t *testing.T) {
	for _, limit := range []int{1, 2, 63, 124, 125, 126, 127, 300, 65534, 65535, 65536} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			p := mustNew(t, Config{MaxMessage: int64(limit)})
			fits, over := ascii(limit), ascii(limit+1)
			check(t, p, cat(text(fits), bin(fits), textOn(fits[:limit/2]), last(fits[limit/2:])),
				gets(asText(fits), asBin(fits), asText(fits)))
			check(t, p, cat(text("a"), text(over), text("b")), gets(asText("a"), overText(), asText("b")))
			check(t, p, cat(text("a"), bin(over), text("b")), gets(asText("a"), overBin(), asText("b")))
			check(t, p, cat(textOn(over[:limit/2]), last(over[limit/2:]), text("b")), gets(overText(), asText("b")))
		})
	}
}
