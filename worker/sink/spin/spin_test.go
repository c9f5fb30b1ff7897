package spin

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

func TestSpinFinishesEveryMessage(t *testing.T) {
	s := sinktest.Open(t, Kind, "spin:500ns", sink.Config{})
	g := handlertest.Start(t, s, 2, 4096)
	for i := range 2000 {
		g.Send(i%2, []byte("x"))
	}
	g.Wait(2000)
	if g.Refused != 0 {
		t.Errorf("%d refused", g.Refused)
	}
	g.Stop()
}

func TestSpinRoundsFollowTheDuration(t *testing.T) {
	if roundsFor(0) != 0 {
		t.Error("nothing to burn takes rounds")
	}
	one := roundsFor(500 * time.Nanosecond)
	if one < 10 {
		t.Errorf("%d rounds for 500ns: too coarse to be accurate", one)
	}
	if ten := roundsFor(5 * time.Microsecond); ten < 10*one-10 || ten > 10*one+10 {
		t.Errorf("%d rounds for ten times the time of %d", ten, one)
	}
}

// BenchmarkSpin500ns measures the accuracy of spin: cpu-ns/op should be 500. ns/op also has the
// time of other processes.
func BenchmarkSpin500ns(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rounds := roundsFor(500 * time.Nanosecond)
	start := threadTime(b)
	for b.Loop() {
		burn(rounds)
	}
	b.ReportMetric(float64(threadTime(b)-start)/float64(b.N), "cpu-ns/op")
}

func threadTime(t testing.TB) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}
