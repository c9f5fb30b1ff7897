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

// Patience bounds every wait for something that has to happen. It is no measure of speed: a
// healthy run never comes near it.
const Patience = 60 * time.Second

// Scratch is a directory for what the tests of a suite share, and others may look into
// it. It is there while Run runs.
var Scratch string

// Of the suite, set by Run before there are tests.
var (
	executable string // the feedgate under test
	seed       uint64
)

// Run builds feedgate, with go build's flags, from the module in the directory root, runs
// the tests and returns the status to exit with. It says the seed of what is random, and
// takes it from CHAOS_SEED.
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

func build(root string, flags []string) error {
	executable = filepath.Join(Scratch, "feedgate")
	args := append([]string{"build", "-C", root, "-o", executable}, flags...)
	if out, err := exec.Command("go", append(args, "./cmd/feedgate")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the binary under test: %w\n%s", err, out)
	}
	return nil
}

// moreParallel lets more tests run at once than there are processors, since nearly
// all of them wait for something, unless -parallel was given.
func moreParallel() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", Form("8", "4"))
}

// Dice is the test's share of what is random.
func Dice(t testing.TB) *rand.Rand {
	var name uint64
	for _, c := range t.Name() {
		name = name*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, name))
}

// Form chooses between the short and the long form's measure of something.
func Form[T any](short, long T) T {
	if testing.Short() {
		return short
	}
	return long
}

// Eventually waits until done says so.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	testkit.Within(t, Patience, what, done)
}
