package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLabelsAreUnique: upstreams that differ only in their query have different labels, the same in
// log, errors, metrics and /stats.
func TestLabelsAreUnique(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	base := "ws://" + ln.Addr().String() + "/"
	want := []string{base, base + "#2", base + "#3"}
	p := run(t, base+"?key=a", base+"?key=b", base+"?key=c", "--sink=discard:")
	var conns []*wsConn
	for range want {
		conns = append(conns, acceptWS(t, ln, ""))
	}
	for _, label := range want {
		p.waitMetric(1, "feedgate_connected", "upstream", label)
	}
	_, stats := p.get("/stats")
	for _, label := range want {
		if !strings.Contains(stats, `"`+label+`"`) {
			t.Errorf("no %s in /stats", label)
		}
	}
	for _, msg := range []string{"starting", "connected"} {
		if got := labelsOf(p, msg); !slices.Equal(got, want) {
			t.Errorf("%s: labels %q", msg, got)
		}
	}
	for _, c := range conns {
		c.hangUp()
	}
	for range want {
		answerWS(t, ln, status("401 Unauthorized", ""))
	}
	eventually(t, "all refusals in the log", func() bool { return len(labelsOf(p, "login refused")) == len(want) })
	p.stop()
	if got := labelsOf(p, "login refused"); !slices.Equal(got, want) {
		t.Errorf("login refused: labels %q", got)
	}
}

// labelsOf returns the upstreams of all log lines with that msg, sorted.
func labelsOf(p *process, msg string) []string {
	var all []string
	line := regexp.MustCompile(`msg="?` + msg + `"? .*?upstream=(\S+)`)
	for _, match := range line.FindAllStringSubmatch(p.stderr.String(), -1) {
		all = append(all, match[1])
	}
	slices.Sort(all)
	return all
}

// TestLogHasNoLoginWithoutOne: protocols without a login log no session, number or code.
func TestLogHasNoLoginWithoutOne(t *testing.T) {
	t.Parallel()
	s, ln := listenTCP(t), listen(t, 0)
	tcp := run(t, s.url(), "--frame=line", "--sink=discard:", "--exit-on-close")
	ws := run(t, "ws://"+ln.Addr().String()+"/", "--sink=discard:", "--exit-on-close")
	s.accept().close()
	c := acceptWS(t, ln, "")
	c.send(wsFinal|wsClose, "")
	c.closed()
	c.hangUp()
	tcp.exit(0)
	ws.exit(0)
	log := tcp.stderr.String() + ws.stderr.String()
	if strings.Count(log, "msg=connected ") != 2 || !strings.Contains(ws.stderr.String(), `msg="server sent its close"`) {
		t.Error("a line is missing")
	}
	for _, word := range []string{"logged in", "session=", "first=", "code="} {
		if strings.Contains(log, word) {
			t.Errorf("the log has %q", word)
		}
	}
}
