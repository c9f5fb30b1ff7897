package gateway

import (
	"flag"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "the one seed that TestSimulation runs; 0: many")
	simSeeds = flag.Int("sim.seeds", 0, "how many seeds it runs; 0: few, fewer with -short")
	simFrom  = flag.Uint64("sim.from", 1, "the first of them")
	simTrace = flag.Bool("sim.trace", false, "print what happens, step by step")
)

const simReplay = "go test ./gateway -run '^TestSimulation$' -sim.seed=%d -sim.trace"

// TestSimulation runs one simulation per seed. docs/reliability.md explains what is simulated and
// what must hold.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		hash, steps, err := runSim(*simSeed, *simTrace, nil)
		t.Logf("seed %d: %d steps, hash %x", *simSeed, steps, hash)
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	seeds := *simSeeds
	switch {
	case seeds > 0:
	case testing.Short():
		seeds = 60
	default:
		seeds = 300
	}
	var next, total, failed atomic.Int64
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for i := next.Add(1); i <= int64(seeds) && failed.Load() < 5; i = next.Add(1) {
				seed := *simFrom + uint64(i) - 1
				_, steps, err := runSim(seed, *simTrace, nil)
				total.Add(int64(steps))
				if err != nil {
					failed.Add(1)
					t.Errorf("seed %d: %v\nreplay: "+simReplay, seed, err, seed)
				}
			}
		})
	}
	running.Wait()
	t.Logf("%d seeds, %d steps", seeds, total.Load())
}

// TestSimulationIsDeterministic: a reported seed must reproduce the failure.
func TestSimulationIsDeterministic(t *testing.T) {
	for seed := range uint64(40) {
		hash, steps, err := runSim(seed+1, false, nil)
		again, stepsAgain, errAgain := runSim(seed+1, false, nil)
		if hash != again || steps != stepsAgain || (err == nil) != (errAgain == nil) {
			t.Errorf("seed %d: %d steps, hash %x, then %d steps, hash %x", seed+1, steps, hash, stepsAgain, again)
		}
	}
}
