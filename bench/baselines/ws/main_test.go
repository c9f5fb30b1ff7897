package ws_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/bench/baselines"
	"feedgate/bench/baselines/ws"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // importing gnet starts goroutines
}

// deadline bounds a test that hangs. It does not measure speed.
const deadline = time.Minute

// each runs f for every client.
func each(t *testing.T, f func(t *testing.T, run baselines.Func)) {
	t.Run("gws", func(t *testing.T) { f(t, ws.GWS) })
	t.Run("coder", func(t *testing.T) { f(t, ws.Coder) })
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

func idle([]byte) {}
