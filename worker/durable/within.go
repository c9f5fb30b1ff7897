package durable

import (
	"context"
	"fmt"
)

// Within calls look, which looks at the file at path, and returns its error. If ctx ends first, the error is
// that nothing answers; look, which cannot be interrupted, then goes on by itself, and
// the caller must not use what it sets.
func Within(ctx context.Context, path string, look func() error) error {
	done := make(chan error, 1)
	go func() { done <- look() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: neither the file system nor, if it is a pipe, its writer answers", path)
	}
}
