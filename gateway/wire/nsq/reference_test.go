package nsq

import (
	"encoding/binary"
	"fmt"
	"strings"

	"feedgate/gateway/wire"
)

// reference decodes a stream after the login, all at once and in the simplest way.
func reference(stream []byte, limit int) (o outcome) {
	o = ready()
	closing := false
	for {
		if len(stream) < 4 {
			return o
		}
		size := int64(int32(binary.BigEndian.Uint32(stream)))
		if size < 4 {
			return o.failing(wire.BadLength)
		}
		if len(stream) < 8 {
			return o
		}
		kind := binary.BigEndian.Uint32(stream[4:])
		switch {
		case kind > 2:
			return o.failing(wire.UnknownOp)
		case kind == 2 && size < 30:
			return o.failing(wire.BadLength)
		case kind < 2 && size > 4+64<<10:
			return o.failing(wire.TooLarge)
		case int64(len(stream)) < 4+size:
			return o
		}
		data := string(stream[8 : 4+size])
		stream = stream[4+size:]
		code, _, _ := strings.Cut(data, " ")
		switch {
		case kind == 2 && len(data)-26 > limit:
			o.trace = append(o.trace, "too large")
		case kind == 2:
			o.trace = append(o.trace, "message "+data[26:])
		case kind == 0 && data == "_heartbeat_":
			o.replies += "NOP\n"
		case kind == 0 && data == "CLOSE_WAIT" && !closing:
			closing = true
			o.trace = append(o.trace, "close 0 false")
		case kind == 0:
			return o.failing(wire.UnexpectedOp)
		case code == "E_FIN_FAILED" || code == "E_REQ_FAILED" || code == "E_TOUCH_FAILED":
			o.trace = append(o.trace, fmt.Sprint("fault ", strings.ToLower(code)))
		default:
			reason := "nsq"
			for _, known := range Reasons {
				if code == strings.ToUpper(known) && strings.HasPrefix(known, "e_") {
					reason = known
				}
			}
			return o.failing(reason)
		}
	}
}
