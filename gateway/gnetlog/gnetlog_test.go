package gnetlog

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/panjf2000/gnet/v2/pkg/logging"
	"github.com/panjf2000/gnet/v2/pkg/pool/goroutine"
)

// childVariable makes the test binary the process that logs.
const childVariable = "GNETLOG_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		logEverything()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// logEverything logs by all that gnet has to log with.
func logEverything() {
	logging.Debugf("debug %d", 1)
	logging.Infof("info %d", 1)
	logging.Warnf("warning %d", 1)
	logging.Errorf("error %d", 1)
	logging.Error(errors.New("error"))
	logging.Fatalf("fatal %d", 1) // zap's would end the process
	logging.Cleanup()
	ended := make(chan struct{})
	if err := goroutine.DefaultWorkerPool.Submit(func() {
		defer close(ended)
		panic("in gnet's pool")
	}); err != nil {
		os.Exit(1)
	}
	<-ended
	goroutine.DefaultWorkerPool.Release()
}

// TestNothingIsWritten to standard output, standard error or a file, whatever the environment is.
func TestNothingIsWritten(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "gnet.log")
	for _, env := range [][]string{
		nil,
		{"GNET_LOGGING_LEVEL=-1"},
		{"GNET_LOGGING_LEVEL=debug"},
		{"GNET_LOGGING_LEVEL=-1", "GNET_LOGGING_FILE=" + file},
	} {
		cmd := exec.Command(self)
		// The race detector would have a process sleep at its end.
		cmd.Env = append(append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0"), env...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil || stdout.Len()+stderr.Len() > 0 {
			t.Errorf("%q: %v, standard output %q, standard error %q", env, err, &stdout, &stderr)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Errorf("%s was created", file)
	}
}
