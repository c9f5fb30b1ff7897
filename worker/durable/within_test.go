package durable

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestWithin: a file system that does not answer is an error once the context ends.
func TestWithin(t *testing.T) {
	fault := errors.New("fault")
	if err := Within(t.Context(), "x", func() error { return fault }); err != fault {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hangs := make(chan struct{})
	defer close(hangs)
	err := Within(ctx, "/disk/x", func() error {
		cancel()
		<-hangs
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "/disk/x: neither the file system nor") {
		t.Error(err)
	}
}
