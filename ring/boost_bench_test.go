package ring_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// boostProgram is a program of bench/baselines/cpp that runs these benchmarks in C++.
const boostProgram = "../bin/feedgate-spsc"

// benchBoost measures boost::lockfree::spsc_queue in that program, which times itself. Its
// allocations are not counted.
func benchBoost(b *testing.B) {
	if _, err := os.Stat(boostProgram); err != nil {
		why := fmt.Sprintf("NOT MEASURED: boost::lockfree::spsc_queue: %v; make baselines builds it", err)
		b.Run("boost", func(b *testing.B) {
			fmt.Fprintln(os.Stderr, why) // Skip alone prints it under -v only
			b.Skip(why)
		})
		return
	}
	for _, size := range []int{8, 64} {
		for _, mode := range []string{"single", "batch"} {
			for _, c := range benchCaps {
				b.Run(fmt.Sprintf("boost-%s/%dB/cap=%d", mode, size, c), func(b *testing.B) {
					throughputBoost(b, mode, size, c)
				})
			}
		}
	}
}

func throughputBoost(b *testing.B, mode string, size, capacity int) {
	output, err := exec.CommandContext(b.Context(), boostProgram, "--mode", mode, "--bytes", strconv.Itoa(size),
		"--capacity", strconv.Itoa(capacity), "--entries", strconv.Itoa(b.N)).Output()
	if err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		b.Fatal(err)
	}
	var result struct {
		NSPerEntry float64 `json:"ns_per_entry"`
	}
	if err := json.Unmarshal(output, &result); err != nil || result.NSPerEntry <= 0 {
		b.Fatalf("%s printed %q: %v", boostProgram, output, err)
	}
	b.ReportMetric(result.NSPerEntry, "ns/op")
}
