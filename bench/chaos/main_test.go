package chaos

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// patience bounds every wait for something that has to happen. It is no measure of
// speed: a healthy run never comes near it.
const patience = 60 * time.Second

// executable is the feedgate under test; scratch is a directory for what tests
// share, and others may look into it.
var executable, scratch string

// raceBuild says that executable carries the race detector, which costs about ten
// times the processor and several times the memory.
var raceBuild = os.Getenv("FEEDGATE_TEST_RACE") == "1"

var seed uint64

func TestMain(m *testing.M) {
	if log := os.Getenv(childVariable); log != "" {
		runChild(log)
		return
	}
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "feedgate-chaos-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	err = errors.Join(os.Chmod(scratch, 0o755), chooseSeed(), build())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy's own logger cannot be chosen everywhere
	fmt.Printf("CHAOS_SEED=%d\n", seed)
	moreParallel()
	return m.Run()
}

// moreParallel lets more tests run at once than there are processors, since nearly
// all of them wait for something, unless -parallel was given.
func moreParallel() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", form("8", "4")); err != nil {
			panic(err)
		}
	}
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

func build() error {
	executable = filepath.Join(scratch, "feedgate")
	args := []string{"build", "-C", "../..", "-o", executable}
	if raceBuild {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "./cmd/feedgate")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the binary under test: %w\n%s", err, out)
	}
	return nil
}

// dice is the test's share of what is random.
func dice(t *testing.T) *rand.Rand {
	var name uint64
	for _, c := range t.Name() {
		name = name*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, name))
}

// form chooses between the short and the long form's measure of something.
func form[T any](short, long T) T {
	if testing.Short() {
		return short
	}
	return long
}

// eventually waits until done says so.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !done(); {
		if time.Now().After(limit) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
