package nsq

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/wire/nsq"
)

// process is a `feedgate run` with its statistics and its figures from /proc.
type process struct {
	*testkit.Process
	t *testing.T
}

func start(t *testing.T, url string, args ...string) *process {
	t.Helper()
	return &process{testkit.Start(t, testkit.Launch{Admin: true, Args: append([]string{url}, args...)}), t}
}

// testProtocol is the protocol of gateways in the test's process.
var testProtocol = nsq.Protocol{Topic: topic, Channel: channel}

// nsqURL returns the upstream URL of the nsqd, or the relay, at addr.
func nsqURL(addr string) string { return "nsq://" + addr + "/" + topic + "/" + channel }

// peak returns the gateway's peak resident memory in bytes.
func (g *process) peak() int64 {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		g.t.Fatalf("VmHWM: %v", err)
	}
	return kb << 10
}
