package cpp_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait of a test, under a sanitizer too.
const patience = 60 * time.Second

// bin is the directory of the built programs.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "feedgate-cpp-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// gnet starts the goroutines of its global pool at initialization.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(), goleak.Cleanup(func(code int) {
		os.RemoveAll(bin)
		os.Exit(code)
	}))
}

// Programs are built when a test first needs them.
var (
	asio = sync.OnceValues(func() (string, error) { return build("feedgate-asio", "asio.cc", "client.cc") })
	spsc = sync.OnceValues(func() (string, error) { return build("feedgate-spsc", "spsc.cc") })
)

var errNoBoost = errors.New("install g++ and libboost-dev (apt-get install g++ libboost-dev)")

func build(name string, sources ...string) (string, error) {
	cxx := cmp.Or(os.Getenv("CXX"), "g++")
	probe := exec.Command(cxx, "-std=c++17", "-E", "-x", "c++", "-")
	probe.Stdin = strings.NewReader(`
#if !__has_include(<boost/asio.hpp>) || !__has_include(<boost/lockfree/spsc_queue.hpp>)
#error no Boost
#endif
`)
	if out, err := probe.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %w\n%s", errNoBoost, err, out)
	}
	path := filepath.Join(bin, name)
	args := []string{"-std=c++17", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", path}
	args = append(args, strings.Fields(cmp.Or(os.Getenv("CXXFLAGS"), "-O2"))...)
	for _, s := range sources {
		args = append(args, filepath.Join("src", s))
	}
	if out, err := exec.Command(cxx, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return path, nil
}

// built returns the path of a program. Without a compiler or Boost the test is skipped.
func built(t *testing.T, program func() (string, error)) string {
	t.Helper()
	path, err := program()
	if errors.Is(err, errNoBoost) {
		t.Skipf("NOT TESTED: the C++ subjects of bench/baselines/cpp: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
