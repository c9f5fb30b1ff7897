package main

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

func TestMaxprocs(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))

	maxprocs("3").set()(log)
	if got := runtime.GOMAXPROCS(0); got != 3 {
		t.Errorf("3 sets %d", got)
	}
	maxprocs("runtime").set()(log)
	if got := runtime.GOMAXPROCS(0); got != 3 {
		t.Errorf("runtime sets %d", got)
	}
	if out.Len() > 0 {
		t.Errorf("it logs %s", out.String())
	}
	// The quota depends on the machine; its outcome is always logged.
	maxprocs("quota").set()(log)
	if !strings.Contains(out.String(), "GOMAXPROCS") {
		t.Errorf("quota logs %q", out.String())
	}
}
