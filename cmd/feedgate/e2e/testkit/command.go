package testkit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Environ returns the environment of the tests without the variables that would change what
// feedgate does.
func Environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FEEDGATE_") && !strings.HasPrefix(v, "GOMAXPROCS=") {
			env = append(env, v)
		}
	}
	return env
}

// Command runs a program to its end, with env added to [Environ]. After limit it is killed, and
// its status is -1.
func Command(t testing.TB, limit time.Duration, env []string, path string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(Environ(), env...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// AwaitFile waits until a file exists, in a child process of the gateway. If the gateway ends
// meanwhile, so does the child.
func AwaitFile(path string) {
	parent := os.Getppid()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if os.Getppid() != parent {
			os.Exit(0)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
