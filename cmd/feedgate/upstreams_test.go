package main

import (
	"strings"
	"syscall"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/gateway/wire/nsq/nsqfake"
	"feedgate/worker/testkit"
)

// TestGroupUsage: a URL without a host requires --nsqlookupd, and the flag requires such a URL.
func TestGroupUsage(t *testing.T) {
	for _, c := range []struct{ want, args string }{
		{"--nsqlookupd: nsq:///TOPIC/CHANNEL needs it", "nsq:///t/c"},
		{"--nsqlookupd: goes with nsq:///TOPIC/CHANNEL", "fg://a:1 --nsqlookupd=b:4161"},
		{"--nsqlookupd: goes with nsq:///TOPIC/CHANNEL", "nsq://a:1/t/c --nsqlookupd=b:4161"},
		{`--nsqlookupd: "b" is not HOST:PORT`, "nsq:///t/c --nsqlookupd=a:4161,b"},
		{`--nsqlookupd: "" is not HOST:PORT`, "nsq:///t/c --nsqlookupd=,a:4161"},
		{"--nsqlookupd: address 1 is not HOST:PORT", "nsq:///t/c --nsqlookupd=ftp://user:s3cret@b"},
		{"nsq:///t: upstream URL: want nsq://HOST:PORT/TOPIC/CHANNEL, or nsq:///TOPIC/CHANNEL with", "nsq:///t --nsqlookupd=a:4161"},
		{"nsq:////c: upstream URL: want nsq://HOST:PORT/TOPIC/CHANNEL, or nsq:///TOPIC/CHANNEL with", "nsq:////c --nsqlookupd=a:4161"},
		{"nsq:///: upstream URL: want nsq://HOST:PORT/TOPIC/CHANNEL, or nsq:///TOPIC/CHANNEL with", "nsq:/// --nsqlookupd=a:4161"},
		{"--ack: range", "nsq:///t/c --nsqlookupd=a:4161 --ack=range"},
		{"--ring: 3", "nsq:///t/c --nsqlookupd=a:4161 --ring=3"},
	} {
		if stderr := checkUsage(t, c.want, append([]string{"run", badAdmin, "--sink=discard:"}, strings.Fields(c.args)...)...); strings.Contains(stderr, "s3cret") {
			t.Errorf("%s: the error contains the secret", c.args)
		}
	}
}

// TestGroupBesideFeed: a process with a named server and a discovered one shows both, is ready when both
// are connected, and drains both.
func TestGroupBesideFeed(t *testing.T) {
	_, url := serve(t, feedserver.Config{Rate: 100})
	lookupd, nsqd := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	lookupd.List(nsqd.Addr())
	nsqURL := "nsq://" + nsqd.Addr() + "/orders/archive"
	admin := freeAddr()
	p := start(t, "\x00", "run", "--sink=discard:", "nsq:///orders/archive", url, "--nsqlookupd", "http://user:s3cret@"+lookupd.Addr(), "--admin", admin)
	testkit.Eventually(t, "ready", func() bool { status, _ := get("http://" + admin + "/ready"); return status == 200 })
	testkit.Eventually(t, "the RDY count", func() bool { return nsqd.Ready() == 2500 })
	_, metrics := get("http://" + admin + "/metrics")
	_, stats := get("http://" + admin + "/stats")
	for _, u := range []string{url, nsqURL} {
		if !strings.Contains(metrics, `feedgate_connected{upstream="`+u+`"} 1`) || !strings.Contains(stats, `"`+u+`": {`) {
			t.Errorf("%s is not shown", u)
		}
	}
	nsqd.Close()
	testkit.Eventually(t, "503 for the lost nsqd", func() bool {
		status, body := get("http://" + admin + "/ready")
		return status == 503 && strings.HasPrefix(body, "upstream "+nsqURL+" is not connected: last failure: ")
	})
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != cli.ExitOK || strings.Contains(p.stderr.String(), "s3cret") {
		t.Errorf("status %d", status)
	}
}

// TestGroupNotReady: /ready shows the reason.
func TestGroupNotReady(t *testing.T) {
	lookupd := nsqfake.StartLookupd(t)
	for want, addr := range map[string]string{
		"nsq:///t/c: no nsqd has topic t\n":        lookupd.Addr(),
		"nsq:///t/c: no nsqlookupd has answered\n": freeAddr(),
	} {
		admin := freeAddr()
		p := start(t, "\x00", "run", "--sink=discard:", "nsq:///t/c", "--nsqlookupd", addr, "--admin", admin)
		testkit.Eventually(t, want, func() bool {
			status, body := get("http://" + admin + "/ready")
			return status == 503 && body == want
		})
		p.signal(syscall.SIGTERM)
		if status := p.status(); status != cli.ExitOK {
			t.Errorf("status %d", status)
		}
	}
}

// TestGroupStatus: the exit status is the worst of all gateways', and a second signal ends those of a
// group.
func TestGroupStatus(t *testing.T) {
	lookupd, nsqd := nsqfake.StartLookupd(t), nsqfake.StartNSQD(t)
	lookupd.List(nsqd.Addr())
	nsqd.IgnoreCLS()
	p := start(t, "stopping", "run", "--sink=discard:", "nsq:///t/c", "--nsqlookupd", lookupd.Addr(), "--admin=", "--drain-timeout=1h")
	testkit.Eventually(t, "a connection", func() bool { return nsqd.Ready() > 0 })
	p.signal(syscall.SIGTERM)
	p.await("first signal", p.stderr.seen)
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != cli.ExitOK { // there was nothing in flight
		t.Errorf("status %d", status)
	}

	nsqd.Refuse(true)
	good, url := serve(t, feedserver.Config{Count: 1000})
	p = start(t, "\x00", "run", "--sink=discard:", "nsq:///t/c", url, "--nsqlookupd", lookupd.Addr(), "--admin=", "--exit-on-close")
	if status := p.status(); status != cli.ExitFailure {
		t.Errorf("status %d", status)
	}
	if n := result(t, good).Acknowledged; n != 1000 {
		t.Errorf("%d acknowledged", n)
	}
	if want := "level=ERROR msg=failed upstream=nsq://" + nsqd.Addr() + "/t/c "; !strings.Contains(p.stderr.String(), want) {
		t.Errorf("no %q on standard error", want)
	}
}
