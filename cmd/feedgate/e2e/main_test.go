package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// childVariable names the log of an exec sink's children. If it is set, the test binary is such a
// child, so the tests need no other program.
const childVariable = "ACCEPT_CHILD_LOG"

// executable is the feedgate under test.
var executable string

// raceBuild is set if the binary under test has the race detector, which takes about ten times the CPU
// time and several times the memory.
var raceBuild = os.Getenv(raceVariable) == "1"

const raceVariable = "FEEDGATE_TEST_RACE"

func TestMain(m *testing.M) {
	if log := os.Getenv(childVariable); log != "" {
		runChild(log)
		return
	}
	if os.Getenv(hangVariable) != "" {
		becomeHung()
	}
	if os.Getenv(subreaperVariable) != "" {
		becomeSubreaper()
	}
	flag.Parse()
	os.Exit(runTests(m))
}

// binaryVariable names a feedgate to test instead of one built from this tree, such as an earlier
// release: the test of a bug fix must fail on a binary without the fix.
const binaryVariable = "FEEDGATE_TEST_BINARY"

func runTests(m *testing.M) int {
	moreParallel()
	if executable = os.Getenv(binaryVariable); executable != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "feedgate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	executable = filepath.Join(dir, "feedgate")
	args := []string{"build", "-o", executable}
	if raceBuild {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "feedgate/cmd/feedgate")...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the binary under test: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// moreParallel runs more tests at once than there are processors, because nearly all of them wait for
// a peer. -parallel overrides it.
func moreParallel() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
}
