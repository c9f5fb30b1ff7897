package nsq

import (
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
