package cpp_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
)

// TestSPSC: the program itself verifies that every entry arrives once and intact.
func TestSPSC(t *testing.T) {
	path := built(t, spsc)
	for _, mode := range []string{"single", "batch"} {
		for _, bytes := range []string{"8", "64"} {
			for _, capacity := range []string{"1", "31", "1024"} {
				for _, entries := range []string{"1", "50001"} {
					args := []string{"--mode", mode, "--bytes", bytes, "--capacity", capacity, "--entries", entries}
					t.Run(fmt.Sprint(args), func(t *testing.T) {
						output, err := exec.CommandContext(t.Context(), path, args...).Output()
						if err != nil {
							t.Fatal(err)
						}
						var o struct {
							NSPerEntry float64 `json:"ns_per_entry"`
						}
						if err := json.Unmarshal(output, &o); err != nil || o.NSPerEntry <= 0 {
							t.Errorf("output %q: %v", output, err)
						}
					})
				}
			}
		}
	}
}
