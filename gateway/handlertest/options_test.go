package handlertest_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
)

// TestOptions: retries, order by key, dead letters, and a clock that the test moves.
func TestOptions(t *testing.T) {
	var order []string
	failures, busy := 2, true
	sink := worker.Each(func(_ context.Context, m worker.Message) error {
		order = append(order, string(m.Data))
		switch {
		case string(m.Data) == "a1" && busy:
			busy = false
			return worker.Again(time.Hour)
		case string(m.Data) == "b1" && failures > 0:
			failures--
			return worker.Refuse(worker.BadRequest)
		case string(m.Data) == "c1":
			return worker.Refuse(worker.BadRequest)
		}
		return nil
	})
	var dead []string
	g := handlertest.StartWith(t, sink, handlertest.Options{
		Retries: 2, Key: "bytes:0:1",
		DeadLetters: worker.Each(func(_ context.Context, m worker.Message) error {
			dead = append(dead, string(m.Data))
			return nil
		}),
	})
	for _, m := range []string{"a1", "a2", "b1", "b2", "c1"} {
		g.Send(0, []byte(m))
	}
	g.Wait(3) // b1, b2 and c1
	g.WantResolved(3)
	g.Advance(time.Hour)
	g.Wait(5)
	g.Stop()
	if got := []worker.Code{g.Code(0), g.Code(1), g.Code(2), g.Code(3), g.Code(4)}; !slices.Equal(got, []worker.Code{0, 0, 0, 0, worker.DeadLettered}) {
		t.Errorf("codes %v", got)
	}
	if slices.Index(order, "a2") != len(order)-1 || slices.Index(order, "b2") < slices.Index(order, "b1") || !slices.Equal(dead, []string{"c1"}) {
		t.Errorf("order %q, dead letters %q", order, dead)
	}
}
