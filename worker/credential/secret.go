package credential

import (
	"bytes"
	"fmt"
	"io/fs"
	"sync/atomic"

	"feedgate/worker/durable"
)

// Secret is a secret to log in with. All users of a secret share one Secret and read it at each
// login, so that Set replaces it for later logins. Any goroutine may call its methods.
type Secret struct {
	value atomic.Pointer[[]byte]
}

// NewSecret returns a secret with the value b, which it owns from now on.
func NewSecret(b []byte) *Secret {
	s := new(Secret)
	s.Set(b)
	return s
}

// Set replaces the value by b, which the secret owns from now on.
func (s *Secret) Set(b []byte) { s.value.Store(&b) }

// Bytes is the current secret, to be read only; nil if s is nil.
func (s *Secret) Bytes() []byte {
	if s == nil {
		return nil
	}
	return *s.value.Load()
}

// MaxSecret limits a file with a secret, in bytes: a login frame contains all of it.
const MaxSecret = 64 << 10

// ReadSecret reads a secret from a file, without one LF or CRLF at its end. It is an error if
// others can access the file. Errors name the flag and the file, and never quote the contents.
func ReadSecret(flag, path string) ([]byte, error) {
	const lineEnd = len("\r\n")
	secret, err := durable.ReadFile(path, MaxSecret+int64(lineEnd), func(info fs.FileInfo) error {
		if mode := info.Mode().Perm(); mode&0o007 != 0 {
			return fmt.Errorf("others can get at %s (mode %04o); run chmod o= on it", path, mode)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if line, ended := bytes.CutSuffix(secret, []byte("\n")); ended {
		secret = bytes.TrimSuffix(line, []byte("\r"))
	}
	switch {
	case len(secret) == 0:
		return nil, fmt.Errorf("%s: %s is empty", flag, path)
	case len(secret) > MaxSecret:
		return nil, fmt.Errorf("%s: %s is longer than %d bytes", flag, path, MaxSecret)
	}
	return secret, nil
}
