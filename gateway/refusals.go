package gateway

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"feedgate/worker"
)

// refusalPeriod is how often refused messages are logged at most.
const refusalPeriod = time.Second

// refusals counts messages that were refused since they were last logged. The loop owns
// it.
type refusals struct {
	codes  map[worker.Code]int
	logged time.Duration // when that was
}

func (r *refusals) add(code worker.Code, n int) {
	if r.codes == nil {
		r.codes = make(map[worker.Code]int)
	}
	r.codes[code] += n
}

// due is when there will be something to log; zero: there is nothing.
func (r *refusals) due() time.Duration {
	if len(r.codes) == 0 {
		return 0
	}
	return max(1, r.logged+refusalPeriod)
}

// log writes one line for all refusals since the last, at most one each period unless it
// must be written now. noAck of them were not acknowledged, as the protocol has no ack for
// a refusal.
func (r *refusals) log(log *slog.Logger, now time.Duration, must bool, noAck int) (done bool) {
	if len(r.codes) == 0 || r.logged != 0 && now-r.logged < refusalPeriod && !must {
		return false
	}
	total := 0
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(r.codes)) {
		total += r.codes[code]
		parts = append(parts, fmt.Sprintf("%d:%d", code, r.codes[code]))
	}
	what := "messages refused"
	attrs := []any{"messages", total, "by_code", strings.Join(parts, " ")}
	if noAck > 0 {
		what += "; --ack-template has no {code}, so no ack is sent for them"
		attrs = append(attrs, "without_ack", noAck)
	}
	log.Warn(what, attrs...)
	clear(r.codes)
	r.logged = max(1, now)
	return true
}
