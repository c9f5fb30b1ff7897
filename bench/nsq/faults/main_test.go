package faults

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

	"go.uber.org/goleak"
)

const (
	// patience bounds every wait for something that has to happen. It is no measure of
	// speed: a healthy run never comes near it.
	patience = 60 * time.Second
	// pause lies between two looks at something.
	pause = 5 * time.Millisecond
)

const topic, channel = "faults", "archive"

// executable is the feedgate under test.
var executable string

var seed uint64

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		runChild(dir)
		return
	}
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "feedgate-nsq-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	executable = filepath.Join(dir, "feedgate")
	if err := errors.Join(chooseSeed(), build()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("CHAOS_SEED=%d\n", seed)
	moreParallel()
	status := m.Run()
	if err := goleak.Find(); status == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
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
	cmd := exec.Command("go", "build", "-C", "../../..", "-o", executable, "./cmd/feedgate")
	if out, err := cmd.CombinedOutput(); err != nil {
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
		time.Sleep(pause)
	}
}
