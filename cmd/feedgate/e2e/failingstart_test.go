package e2e

import "testing"

// TestRetriesDoNotDelayOthersAtTheStart: messages that wait for a retry do not count towards the
// number that a worker may have before its pace is known, so later messages are not delayed. In an
// earlier version the loop was not woken: a worker got four messages whenever something else woke
// it.
func TestRetriesDoNotDelayOthersAtTheStart(t *testing.T) {
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
