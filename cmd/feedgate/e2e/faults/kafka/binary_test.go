package kafka

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// serve starts a feed of messages.
func serve(t *testing.T, all []string, cfg feedserver.Config) *feedserver.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "messages")
	if err := os.WriteFile(path, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Replay, cfg.Log = path, slog.New(slog.DiscardHandler)
	cfg.SessionTimeout, cfg.DrainTimeout = 10*testkit.Patience, testkit.Patience
	s, err := feedserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// wantAcknowledged waits until the feed has an acknowledgement for every message.
func wantAcknowledged(t *testing.T, s *feedserver.Server, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Form(2*testkit.Patience, 10*time.Minute))
	defer cancel()
	r, err := s.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r.Total.Acknowledged != uint64(n) || r.Total.Missing != 0 || r.Total.Refused != 0 || r.Total.Early != 0 {
		t.Errorf("of %d messages: %+v", n, r.Total)
	}
}

// run are the arguments of a gateway that writes to the cluster by key.
func run(c *cluster, s *feedserver.Server, more ...string) []string {
	scheme := "fg://"
	if slices.Contains(more, "--frame=line") {
		scheme = "tcp://"
	}
	return append([]string{
		scheme + s.Addr().String(), "--sink=kafka://" + c.hosts() + "/orders", "--dispatch=key", "--key=field:1:-",
		"--workers=4", "--exit-on-close", "--connect-timeout=1s",
	}, more...)
}

// kcat reads all records with kcat, another implementation, which checks their checksums.
func (c *cluster) kcat(t *testing.T) (all []*kgo.Record) {
	t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Skipf("NOT TESTED: reading with kcat: %v; apt-get install kcat", err)
	}
	status, stdout, stderr := testkit.Command(t, testkit.Patience, nil, path,
		"-b", c.hosts(), "-t", "orders", "-C", "-e", "-q", "-X", "check.crcs=true", "-f", "%p %k %s\n")
	if status != 0 {
		t.Fatalf("kcat: status %d, %s", status, stderr)
	}
	for line := range strings.Lines(stdout) {
		partition, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		key, value, _ := strings.Cut(rest, " ")
		all = append(all, &kgo.Record{Partition: int32(partition[0] - '0'), Key: []byte(key), Value: []byte(value)})
	}
	return all
}

// TestBinary: the real binary from a feed, of FG/1 or lines, into the cluster, whose leaders move and
// whose connections are reset meanwhile. Nothing is acknowledged before it is stored. What kcat and
// franz-go read is what was sent, once, each key in order.
func TestBinary(t *testing.T) {
	for protocol, args := range map[string][]string{
		"fg":   nil,
		"line": {"--frame=line", `--ack-template=A{n}\n`, "--id=field:2:-"},
	} {
		t.Run(protocol, func(t *testing.T) {
			rng := testkit.Rand(t)
			c := startCluster(t, 7, kfake.NumBrokers(3))
			all := messages(keys, testkit.Form(100_000, 5_000_000))
			s := serve(t, all, feedserver.Config{Protocol: protocol})
			p := testkit.Start(t, testkit.Launch{Args: run(c, s, args...)})
			for p.Running() && c.count("orders") < len(all) {
				time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
				switch rng.IntN(3) {
				case 0:
					c.ShufflePartitionLeaders()
				case 1:
					c.open.reset()
				}
				acked := s.Report().Total.Acknowledged
				if stored := c.count("orders"); acked > uint64(stored) {
					t.Fatalf("ACKED BEFORE STORED: %d messages are acknowledged, %d stored", acked, stored)
				}
			}
			wantAcknowledged(t, s, len(all))
			p.Exit(0)
			stored := c.stored()
			if n := checkStored(t, stored, all); n != 0 {
				t.Errorf("%d duplicates", n)
			}
			for _, r := range stored {
				if len(r.Headers) != 1 || r.Headers[0].Key != "id" || string(r.Key) != keyOf(string(r.Value)) {
					t.Fatalf("record %+v", r)
				}
			}
			if n := checkStored(t, c.kcat(t), all); n != 0 {
				t.Errorf("kcat: %d duplicates", n)
			}
		})
	}
}

// TestKill: the binary is killed (SIGKILL) again and again, and ended with SIGTERM in between. Nothing
// is lost, and each key is in order; what a killed process had stored and not acknowledged is stored
// again, at most one window each time.
func TestKill(t *testing.T) {
	rng := testkit.Rand(t)
	c := startCluster(t, 7, kfake.NumBrokers(3))
	kills := testkit.Form(6, 100)
	all := messages(keys, kills*6000)
	s := serve(t, all, feedserver.Config{Rate: 60_000})
	state := "--state=" + filepath.Join(t.TempDir(), "state")
	const window = 1000
	before := 0
	for i := range kills {
		p := testkit.Start(t, testkit.Launch{Args: run(c, s, state, "--in-flight=1000")})
		enough := before + 1 + rng.IntN(4000)
		testkit.Eventually(t, "records", func() bool { return c.count("orders") >= enough || !p.Running() })
		if before = c.count("orders"); !p.Running() {
			break
		}
		if i%4 == 3 {
			p.WaitLog("connected and logged in") // so that it handles signals
			p.Signal(syscall.SIGTERM)
			p.Exit(0)
		} else {
			p.Kill()
		}
	}
	p := testkit.Start(t, testkit.Launch{Args: run(c, s, state, "--in-flight=1000")})
	wantAcknowledged(t, s, len(all))
	p.Exit(0)
	n := checkStored(t, c.stored(), all)
	t.Logf("%d kills: %d messages, %d stored again", kills, len(all), n)
	if n > kills*window {
		t.Errorf("%d duplicates", n)
	}
}

// TestHuge: a message that no request can contain is refused with code 1, instead of a connection that
// the broker closes again and again; the others are stored.
func TestHuge(t *testing.T) {
	c := startCluster(t, 2)
	all := messages(3, 12)
	huge := "9-0-" + strings.Repeat("x", 105<<20)
	s := serve(t, slices.Concat(all[:6], []string{huge}, all[6:]), feedserver.Config{})
	p := testkit.Start(t, testkit.Launch{Args: run(c, s, "--max-message=128MiB", "--memory=600MiB")})
	ctx, cancel := context.WithTimeout(context.Background(), 3*testkit.Patience)
	defer cancel()
	r, err := s.Wait(ctx)
	if err != nil || r.Total.Acknowledged != 13 || r.Total.Refused != 1 {
		t.Errorf("%+v, %v", r.Total, err)
	}
	p.Exit(0)
	checkStored(t, c.stored(), all)
}

// TestCheckConnect: check --connect prints what it found, and which flag helps.
func TestCheckConnect(t *testing.T) {
	c := startCluster(t, 3)
	s := serve(t, []string{"0-0-x"}, feedserver.Config{})
	check := func(want int, topic, text string) {
		t.Helper()
		status, stdout, stderr := testkit.Command(t, testkit.Patience, nil, filepath.Join(testkit.Scratch, "feedgate"),
			"check", "--connect", "fg://"+s.Addr().String(), "--sink=kafka://"+c.hosts()+"/"+topic)
		if status != want || !strings.Contains(stdout, text) {
			t.Errorf("status %d, standard output\n%s\nstandard error\n%s", status, stdout, stderr)
		}
	}
	check(0, "orders", "topic orders has 3 partitions")
	check(1, "nowhere", "topic nowhere does not exist")
	if c.count("orders") != 0 {
		t.Error("a message was written")
	}
}
