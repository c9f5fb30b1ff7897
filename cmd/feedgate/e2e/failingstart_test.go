package e2e

import "testing"

// TestManyFailAtTheStart: messages that wait for another try do not count against what a worker
// may have before its pace is known, so those behind them get their turn at once. The loop was not
// told of that room: a worker got four messages each time that something else woke the loop.
func TestManyFailAtTheStart(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	_, _, c := connectFG(t, "{}", "--workers=1", "--retries=1", "--retry-min=1h", "--heartbeat=1h", kids.sink(t))
	var frames []frame
	const failing = 400
	for seq := uint64(1); seq <= failing; seq++ {
		frames = append(frames, data(seq, "code=1"))
	}
	frames = append(frames, data(failing+1, "last"))
	c.send(frames...)
	c.acked(failing + 1)
}
