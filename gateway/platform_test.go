package gateway

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestOtherSystems: on other systems, the build fails with the reason and no other error.
func TestOtherSystems(t *testing.T) {
	for _, pkg := range []string{"feedgate/gateway", "feedgate/worker/sink/stdout", "feedgate/worker/sink/file", "feedgate/worker/sink/exec"} {
		vet := exec.Command("go", "vet", pkg)
		vet.Env = append(os.Environ(), "GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0")
		out, err := vet.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "linux_only") || strings.Contains(string(out), "undefined") {
			t.Errorf("%s: %v, %s", pkg, err, out)
		}
	}
}
