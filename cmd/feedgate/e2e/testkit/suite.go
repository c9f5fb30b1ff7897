package testkit

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"feedgate/worker/testkit"
)

// Patience bounds every wait for something that must happen. It does not measure speed: a
// healthy run stays far below it.
const Patience = 60 * time.Second

// Scratch is a directory that the tests of a suite share, readable by every user. It exists while
// Run runs.
var Scratch string

// Of the suite, set by Run before the first test.
var (
	executable string // the feedgate under test
	seed       uint64
)

// Run builds feedgate from the module in the directory root, with flags of go build, runs the
// tests and returns the exit status. It prints the random seed, which CHAOS_SEED can set.
func Run(m *testing.M, root string, flags ...string) (status int) {
	flag.Parse()
	status, err := run(m, root, flags)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

func run(m *testing.M, root string, flags []string) (status int, err error) {
	if Scratch, err = os.MkdirTemp("", "feedgate-testkit-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(Scratch)
	if err := os.Chmod(Scratch, 0o755); err != nil {
		return 0, err
	}
	if err := chooseSeed(); err != nil {
		return 0, err
	}
	if err := build(root, flags); err != nil {
		return 0, err
	}
	if err := moreParallel(); err != nil {
		return 0, err
	}
	fmt.Printf("CHAOS_SEED=%d\n", seed)
	return m.Run(), nil
}

func chooseSeed() (err error) {
	seed = rand.Uint64()
	if given := os.Getenv("CHAOS_SEED"); given != "" {
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			return fmt.Errorf("CHAOS_SEED: %w", err)
		}
	}
	return nil
}

// Executable returns the path of the binary under test.
func Executable() string { return executable }

func build(root string, flags []string) error {
	executable = filepath.Join(Scratch, "feedgate")
	args := append([]string{"build", "-C", root, "-o", executable}, flags...)
	if out, err := exec.Command("go", append(args, "./cmd/feedgate")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the binary under test: %w\n%s", err, out)
	}
	return nil
}

// moreParallel runs more tests at once than there are processors, because nearly all of them
// wait for something. -parallel overrides it.
func moreParallel() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", Form("8", "4"))
}

// Rand returns the test's own random source, seeded by the suite's seed and the test's name.
func Rand(t testing.TB) *rand.Rand {
	var name uint64
	for _, c := range t.Name() {
		name = name*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, name))
}

// Form returns short with -short, and long without.
func Form[T any](short, long T) T {
	if testing.Short() {
		return short
	}
	return long
}

// Eventually waits until done returns true. what names that in the error.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	testkit.Within(t, Patience, what, done)
}
