package mutate

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// maxMessage is the gateway's --max-message.
const maxMessage = 16 << 10

// marker is in every payload, and must not be in the log.
const marker = "mUtAnT"

// dialect is the server's side of a scheme. Any goroutine may use one.
type dialect interface {
	// requested reports whether the gateway has sent everything that a server must receive before it
	// sends.
	requested(got []byte) bool
	// generate makes a valid conversation with that many messages. request is what the gateway has sent.
	generate(d *rand.Rand, request []byte, messages int) conversation
	// judge returns how often the gateway acked each key. It returns an error if the gateway did what it
	// must not do, whatever it receives, such as ack a message that was not sent completely, or ack it
	// twice.
	judge(sent, got []byte) (acked map[string]int, err error)
}

// payload makes the payload of a message: text, JSON, an NMEA 0183 sentence, or bytes.
func payload(d *rand.Rand, n int) []byte {
	long := d.IntN(1 << d.IntN(9))
	if d.IntN(200) == 0 {
		long = d.IntN(3 * maxMessage)
	}
	fill := strings.Repeat("abcdefgh", long/8+1)[:long]
	switch d.IntN(4) {
	case 0:
		return fmt.Appendf(nil, `{"id":"%d","user":"u%d","data":"%s%s","done":%t}`, n, d.IntN(5), marker, fill, d.IntN(3) > 0)
	case 1:
		return fmt.Appendf(nil, "$IIMWV,%03d,R,%05.2f,N,A,%s*%02X", d.IntN(360), d.Float64()*40, marker, d.IntN(256))
	case 2:
		return fmt.Appendf(nil, "%s %d %s", marker, n, fill)
	}
	if d.IntN(20) == 0 {
		return nil
	}
	return append([]byte(marker), fill...)
}

// atMost returns an error unless only keys from 1 to most were acked, and each only once.
func atMost(acked map[string]int, most int) error {
	for key, times := range acked {
		var n int
		if _, err := fmt.Sscan(key, &n); err != nil || n < 1 || n > most || fmt.Sprint(n) != key {
			return fmt.Errorf("an ack of message %.40q of %d", key, most)
		}
		if times > 1 {
			return fmt.Errorf("message %s was acked %d times", key, times)
		}
	}
	return nil
}
