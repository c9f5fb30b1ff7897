package nsq_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/bench"
	"feedgate/bench/nsq"
	"feedgate/bench/peers"
)

// TestMain lets the test binary be the harness that a program lies beside.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == bench.SubjectArg {
		if err := bench.SubjectMain(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // importing gnet starts some
}

// deadline bounds a test that hangs. It is no measure of speed.
const deadline = time.Minute

// each runs f for every client, the product among them.
func each(t *testing.T, f func(t *testing.T, run peers.Func)) {
	t.Run("go-nsq", func(t *testing.T) { f(t, nsq.GoNSQ) })
	t.Run("go-nsq-tuned", func(t *testing.T) { f(t, nsq.GoNSQTuned) })
	t.Run("inline", func(t *testing.T) { f(t, nsq.Inline) })
	t.Run("feedgate", func(t *testing.T) { f(t, bench.Find("nsq-feedgate").Run) })
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func idle([]byte) {}

// serve starts a server. Its Close ends the clients, so it may come sooner.
func serve(t *testing.T, cfg nsq.Config) *nsq.Server {
	t.Helper()
	s, err := nsq.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
