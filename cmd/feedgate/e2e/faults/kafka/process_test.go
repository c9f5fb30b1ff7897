package kafka

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// TestPassword: while the binary writes, its password becomes wrong, for a minute in the long form, and
// right again with SIGHUP. Meanwhile /ready names the flag, the log is short, and memory bounded. Nothing
// is lost or stored twice, and no password is shown.
func TestPassword(t *testing.T) {
	c := startCluster(t, 7, kfake.NumBrokers(3), kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "first-s3cret"))
	all := messages(keys, testkit.Form(60_000, 600_000))
	s := serve(t, all, feedserver.Config{Rate: 20_000})
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first-s3cret")
	p := testkit.Start(t, testkit.Launch{Admin: true, Args: run(c, s,
		"--sink=kafka://"+c.hosts()+"/orders?sasl=plain", "--sink-user=me", "--sink-password-file="+file, "--memory=16MiB")})
	testkit.Eventually(t, "records", func() bool { return c.count("orders") > 1000 })

	write("other-s3cret")
	p.Signal(syscall.SIGHUP)
	p.WaitLog("reloaded")
	c.open.reset()
	p.WaitReady("--sink-password-file")
	lines, stored, seconds := p.Log.Lines(), c.count("orders"), testkit.Form(2, 65)
	time.Sleep(time.Duration(seconds) * time.Second)
	if more := p.Log.Lines() - lines; more > 2*seconds+2 { // one per second and text
		t.Errorf("%d log lines in %d s", more, seconds)
	}
	if n := c.count("orders"); n != stored {
		t.Errorf("%d messages were stored with a wrong password", n-stored)
	}

	write("first-s3cret")
	p.Signal(syscall.SIGHUP)
	p.WaitReady()
	rss := p.PeakRSS()
	wantAcknowledged(t, s, len(all))
	p.Exit(0)
	login := kgo.SASL(plain.Auth{User: "me", Pass: "first-s3cret"}.AsMechanism())
	if n := checkStored(t, c.stored(login), all); n != 0 {
		t.Errorf("%d duplicates", n)
	}
	if limit := int64(120 << 20); rss > limit || p.Log.Has("s3cret") {
		t.Errorf("at most %d MiB of memory; a password in the log: %v", rss>>20, p.Log.Has("s3cret"))
	}
}
