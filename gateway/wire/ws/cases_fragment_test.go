package ws

import (
	"slices"
	"strings"
)

// fragmentCases are about messages in more than one frame.
var fragmentCases = []frameCase{
	// Messages in fragments.
	{"5.4", "text in two fragments", cat(textOn("ab"), last("cd")), gets(asText("abcd"))},
	{"5.4", "binary in two fragments", cat(binOn("\xff"), last("\x00")), gets(asBin("\xff\x00"))},
	{"5.4", "text in three fragments", cat(textOn("ab"), more("cd"), last("ef")), gets(asText("abcdef"))},
	{"5.4", "binary in three fragments", cat(binOn("ab"), more("cd"), last("ef")), gets(asBin("abcdef"))},
	{"5.4", "text in 100 fragments", cat(textOn("a"), times(98, more("b")), last("c")), gets(asText("a" + strings.Repeat("b", 98) + "c"))},
	{"5.4", "an empty first fragment", cat(textOn(""), last("a")), gets(asText("a"))},
	{"5.4", "an empty fragment between", cat(textOn("a"), more(""), last("b")), gets(asText("ab"))},
	{"5.4", "an empty last fragment", cat(textOn("a"), last("")), gets(asText("a"))},
	{"5.4", "nothing but empty fragments", cat(textOn(""), more(""), last("")), gets(asText(""))},
	{"5.4", "nothing but empty binary fragments", cat(binOn(""), more(""), more(""), last("")), gets(asBin(""))},
	{"5.4", "two messages in fragments", cat(textOn("a"), last("b"), binOn("c"), last("d")), gets(asText("ab"), asBin("cd"))},
	{"5.4", "fragments between whole messages", cat(bin("a"), textOn("b"), last("c"), text("d"), binOn("e"), last("f"), bin("g")), gets(asBin("a"), asText("bc"), asText("d"), asBin("ef"), asBin("g"))},
	{"5.4", "fragments of 125, 126 and 127 bytes", cat(textOn(ascii(125)), more(ascii(126)), last(ascii(127))), gets(asText(ascii(125) + ascii(126) + ascii(127)))},
	{"5.4", "fragments of 65535 and 65536 bytes", cat(binOn(bytesOf(65535)), last(bytesOf(65536))), gets(asBin(bytesOf(65535) + bytesOf(65536)))},
	{"5.4", "a long and a short fragment", cat(binOn(bytesOf(65536)), last("x")), gets(asBin(bytesOf(65536) + "x"))},
	{"5.4", "a short and a long fragment", cat(binOn("x"), last(bytesOf(65536))), gets(asBin("x" + bytesOf(65536)))},

	// Control frames between fragments.
	{"5.4", "a ping between", cat(textOn("a"), ping("p"), last("b")), pongs([]string{"p"}, asText("ab"))},
	{"5.4", "an empty ping between", cat(textOn("a"), ping(""), last("b")), pongs([]string{""}, asText("ab"))},
	{"5.4", "a ping of 125 bytes between", cat(binOn("a"), ping(ascii(125)), last("b")), pongs([]string{ascii(125)}, asBin("ab"))},
	{"5.4", "a pong between", cat(textOn("a"), pong("p"), last("b")), gets(asText("ab"))},
	{"5.4", "pings and pongs between all", cat(textOn("a"), ping("1"), pong("x"), more("b"), ping("2"), more("c"), pong(""), ping("3"), last("d")), pongs([]string{"1", "2", "3"}, asText("abcd"))},
	{"5.4", "a ping before and after", cat(ping("1"), textOn("a"), last("b"), ping("2")), pongs([]string{"1", "2"}, asText("ab"))},
	{"5.4", "1,000 pings between two fragments", cat(textOn("a"), times(1000, ping("p")), last("b")), pongs(slices.Repeat([]string{"p"}, 1000), asText("ab"))},
	{"5.4", "a ping between empty fragments", cat(textOn(""), ping("p"), last("")), pongs([]string{"p"}, asText(""))},
	{"5.4", "a ping between an unfinished message and its end", cat(text("x"), binOn("a"), ping("p"), more("b")), pongs([]string{"p"}, asText("x"))},

	// Continuations without a message.
	{"5.4", "a last fragment of nothing", last("a"), bad1002()},
	{"5.4", "an empty last fragment of nothing", last(""), bad1002()},
	{"5.4", "a fragment between of nothing", more("a"), bad1002()},
	{"5.4", "an empty fragment between of nothing", more(""), bad1002()},
	{"5.4", "a continuation behind a whole text", cat(text("a"), last("b")), bad1002(asText("a"))},
	{"5.4", "a continuation behind a whole binary message", cat(bin("a"), more("b")), bad1002(asBin("a"))},
	{"5.4", "a continuation behind the last fragment", cat(textOn("a"), last("b"), last("c")), bad1002(asText("ab"))},
	{"5.4", "a continuation behind a ping", cat(ping("p"), last("b")), bad1002().and("p")},
	{"5.4", "a continuation behind a pong", cat(pong("p"), last("b")), bad1002()},
	{"5.4", "a continuation, then a good text", cat(last("a"), text("b")), bad1002()},

	// Data frames while a message is open.
	{"5.4", "a text while a text is open", cat(textOn("a"), text("b")), bad1002()},
	{"5.4", "a binary message while a text is open", cat(textOn("a"), bin("b")), bad1002()},
	{"5.4", "a text while a binary message is open", cat(binOn("a"), text("b")), bad1002()},
	{"5.4", "a binary message while one is open", cat(binOn("a"), bin("b")), bad1002()},
	{"5.4", "a first fragment while a text is open", cat(textOn("a"), textOn("b"), last("c")), bad1002()},
	{"5.4", "a first binary fragment while a text is open", cat(textOn("a"), binOn("b"), last("c")), bad1002()},
	{"5.4", "an empty text while a text is open", cat(textOn("a"), text(""), last("b")), bad1002()},
	{"5.4", "a text while an empty fragment is open", cat(textOn(""), text("a")), bad1002()},
	{"5.4", "a text behind a ping while one is open", cat(textOn("a"), ping("p"), text("b")), bad1002().and("p")},
	{"5.4", "a text behind a second fragment", cat(text("x"), textOn("a"), more("b"), text("c")), bad1002(asText("x"))},

	// At most 65,536 empty fragments per message, and any number of others.
	{"10.4", "65,536 fragments", cat(binOn("a"), times(maxEmpty-2, more("b")), last("c")), gets(asBin("a" + strings.Repeat("b", maxEmpty-2) + "c"))},
	{"10.4", "65,536 fragments, all empty", cat(textOn(""), times(maxEmpty-2, more("")), last("")), gets(asText(""))},
	{"10.4", "65,537 fragments", cat(binOn("a"), times(maxEmpty-1, more("b")), last("c")), gets(asBin("a" + strings.Repeat("b", maxEmpty-1) + "c"))},
	{"10.4", "65,536 empty fragments and one that is not", cat(textOn(""), times(maxEmpty-1, more("")), last("a")), gets(asText("a"))},
	{"10.4", "65,537 empty fragments of a message that is too long", cat(binOn(bytesOf(testLimit+1)), times(maxEmpty, more("")), last("")), bad1009()},
	{"10.4", "65,537 empty fragments between others", cat(binOn("a"), times(maxEmpty, more("b"), more("")), last("")), bad1009()},
	{"10.4", "65,537 fragments, all empty", cat(textOn(""), times(maxEmpty-1, more("")), last("")), bad1009()},
	{"10.4", "65,536 fragments and a ping", cat(textOn(""), times(maxEmpty-2, more("")), ping("p"), last("")), pongs([]string{"p"}, asText(""))},
	{"10.4", "65,536 fragments and no end, a ping", cat(textOn(""), times(maxEmpty-1, more("")), ping("p")), pongs([]string{"p"})},
	{"10.4", "a million empty fragments", cat(textOn(""), times(1_000_000, more(""))), bad1009()},
	{"10.4", "a million empty fragments behind a message", cat(text("a"), binOn(""), times(1_000_000, more(""))), bad1009(asText("a"))},
	{"10.4", "65,536 fragments twice", times(2, textOn(""), times(maxEmpty-2, more("")), last("a")), gets(asText("a"), asText("a"))},
}
