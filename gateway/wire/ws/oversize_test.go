package ws

import (
	"fmt"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
)

// TestOversizedAtEverySplit: two reads, split at every byte, have the same result as one read,
// and the decoder never waits for a piece of an oversized message.
func TestOversizedAtEverySplit(t *testing.T) {
	const limit = 8
	euro := "\xe2\x82\xac"
	stream := cat(
		text("one"), text(ascii(limit+1)), bin(bytesOf(limit)), bin(bytesOf(300)),
		textOn("abcd"), ping("p"), more(euro+"\xe2"), ping("q"), more(""), last("\x82\xac"), // over in the second
		binOn(bytesOf(limit)), last("x"), textOn(euro+euro), more(""), last("ab"), bin("two"),
	)
	want := gets(asText("one"), overText(), asBin(bytesOf(limit)), overBin(), overText(), overBin(), asText(euro+euro+"ab"), asBin("two")).and("p", "q")
	p := mustNew(t, Config{MaxMessage: limit})
	head := len(answer(t, wiretest.New(t, p.NewConn(), wire.Hello{Host: "example.com:80"}, wiretest.Whole(1)).Hello))
	for cut := range head + len(stream) {
		for name, plan := range map[string]wiretest.Plan{
			"in place": {Buffer: head + len(stream), Msgs: 1 + cut%3, Steps: []int{cut + 1, head + len(stream)}},
			"moved":    {Buffer: 1, Msgs: 1 + cut%3, Steps: []int{cut + 1, -head - len(stream)}},
		} {
			t.Run(fmt.Sprint(cut, " ", name), func(t *testing.T) {
				got, err := run(t, p, stream, plan.WithLimit(limit+maxHead))
				if diff := got.diff(want); diff != "" {
					t.Fatalf("%s (error: %v)", diff, err)
				}
			})
		}
	}
}

// TestOversizedNeedsNoBuffer: after the header of an oversized frame, the decoder waits for no
// contiguous bytes.
func TestOversizedNeedsNoBuffer(t *testing.T) {
	for name, stream := range map[string][]byte{
		"a frame":    bin(bytesOf(testLimit + 1)),
		"a fragment": cat(binOn("a"), last(bytesOf(testLimit))),
	} {
		c := opened(t, mustNew(t, Config{}))
		in := wire.Input{Msgs: make([]wire.Msg, 0, 4)}
		buf := stream[:len(stream)/2]
		if err := c.Decode(buf, &in); err != nil || in.Need != 0 || in.Scan != len(buf) || in.Start != in.Scan {
			t.Errorf("%s: %v, cursors %d %d of %d, needs %d", name, err, in.Start, in.Scan, len(buf), in.Need)
		}
	}
}
