package nsq

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/wire/nsq"
)

// process is a `feedgate run`, and what its stats and /proc say.
type process struct {
	*testkit.Process
	t *testing.T
}

func start(t *testing.T, url string, args ...string) *process {
	t.Helper()
	return &process{testkit.Start(t, testkit.Launch{Admin: true, Args: append([]string{url}, args...)}), t}
}

// testProtocol is that of the gateways in this process.
var testProtocol = nsq.Protocol{Topic: topic, Channel: channel}

// nsqURL is the upstream URL of the nsqd, or of the relay, at addr.
func nsqURL(addr string) string { return "nsq://" + addr + "/" + topic + "/" + channel }

// peak is the most memory that the gateway has ever had resident, in bytes.
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
