package bench_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"feedgate/bench"
)

// TestMain makes the test binary the process of a feed or a subject, if the harness starts it as such.
func TestMain(m *testing.M) {
	var child func(context.Context, io.Reader, io.Writer) error
	switch {
	case len(os.Args) > 1 && os.Args[1] == bench.FeedArg:
		child = bench.FeedMain
	case len(os.Args) > 1 && os.Args[1] == bench.NsqdArg:
		child = bench.NsqdMain
	case len(os.Args) > 1 && os.Args[1] == bench.SubjectArg:
		child = func(ctx context.Context, in io.Reader, out io.Writer) error {
			return bench.SubjectMain(ctx, os.Args[2:], in, out)
		}
	case len(os.Args) > 2 && os.Args[1] == bench.DestinationArg:
		child = func(ctx context.Context, in io.Reader, out io.Writer) error {
			return bench.DestinationMain(ctx, os.Args[2], in, out)
		}
	default:
		// By default the race detector delays every exit by a second, for reports of other goroutines;
		// the child processes have none left.
		if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
			panic(err)
		}
		goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // importing gnet starts some
		return
	}
	if err := child(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
