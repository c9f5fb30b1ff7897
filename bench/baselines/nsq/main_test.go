package nsq_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/bench"
	"feedgate/bench/baselines"
	"feedgate/bench/baselines/nsq"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // importing gnet starts goroutines
}

// deadline bounds a test that hangs. It does not measure speed.
const deadline = time.Minute

// each runs f for every client, including the product.
func each(t *testing.T, f func(t *testing.T, run baselines.Func)) {
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

// serve starts a server. A test may call its Close earlier, which ends the clients.
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
