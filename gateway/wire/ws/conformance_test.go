package ws

import (
	"strings"
	"testing"
)

// frameCase is a stream after the handshake and its expected result, however it arrives. rfc is
// the section of RFC 6455 under test, unless it names another RFC.
type frameCase struct {
	rfc, name string
	in        []byte
	want      outcome
}

// TestConformance runs every case by every plan.
func TestConformance(t *testing.T) {
	tables := map[string][]frameCase{
		"head": headCases, "length": lengthCases, "fragment": fragmentCases,
		"control": controlCases, "text": textCases, "close": closeCases,
	}
	p := mustNew(t, Config{})
	for table, cases := range tables {
		t.Run(table, func(t *testing.T) {
			names := map[string]bool{}
			for _, c := range cases {
				if names[c.name] {
					t.Errorf("%q is there twice", c.name)
				}
				names[c.name] = true
				t.Run(c.rfc+" "+c.name, func(t *testing.T) { check(t, p, c.in, c.want) })
			}
		})
	}
}

// TestFaultsNameTheMessage checks that an error names the message at fault and quotes none of its
// bytes.
func TestFaultsNameTheMessage(t *testing.T) {
	p := mustNew(t, Config{})
	const secret = "s3cret"
	for want, in := range map[string][]byte{
		"message 1: text is not UTF-8 (bad_utf8)":                                                     text(secret + "\xff" + secret),
		"message 2: text ends within a UTF-8 sequence (bad_utf8)":                                     cat(text("a"), text(secret+"\xc3")),
		"message 3: reserved bits 0x40 are set (ws)":                                                  cat(text("a"), ping("p"), bin("b"), frame(0xc1, secret)),
		"message 1: reserved opcode 0x3 (ws)":                                                         frame(0x83, secret),
		"message 1: a masked frame from the server (ws)":                                              masked(0x81, secret),
		"message 1: control frame 0x9 in fragments (ws)":                                              frame(0x09, secret),
		"message 1: control frame 0xa of more than 125 bytes (ws)":                                    frame(0x8a, strings.Repeat(secret, 25)),
		"message 2: a continuation without a message (ws)":                                            cat(text("a"), last(secret)),
		"message 1: another message while this one is unfinished (ws)":                                cat(textOn("a"), text(secret)),
		"message 1: length 6 in 2 bytes, not the shortest form (ws)":                                  long(0x81, 2, secret),
		"message 1: length 6 in 8 bytes, not the shortest form (ws)":                                  long(0x81, 8, secret),
		"message 1: length with the highest bit set (ws)":                                             announced(0x82, 1<<63),
		"message 1: it has 67108865 bytes; up to 67108864 are skipped, see --max-message (too_large)": announced(0x82, 64<<20+1),
		"message 1: it has 67108870 bytes; up to 67108864 are skipped, see --max-message (too_large)": cat(textOn(secret),
			announced(0x00, 64<<20)),
		"message 1: Close with half a code (ws)":                 closing("s"),
		"message 1: Close with code 999 (ws)":                    closing(code(999) + secret),
		"message 1: the reason of Close is not UTF-8 (bad_utf8)": closing(code(1000) + secret + "\xff"),
	} {
		_, err := run(t, p, in, plans("", len(in))["whole"])
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
