package credential

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Secret is a login secret. Those that log in with it share it and read it at each login; Set
// replaces it for later logins. Any goroutine may call its methods.
type Secret struct {
	value atomic.Pointer[[]byte]
}

// NewSecret makes a secret of b, which it keeps.
func NewSecret(b []byte) *Secret {
	s := new(Secret)
	s.Set(b)
	return s
}

// Set replaces the secret by b, which it keeps.
func (s *Secret) Set(b []byte) { s.value.Store(&b) }

// Bytes is the current secret, to be read only; nil if s is nil.
func (s *Secret) Bytes() []byte {
	if s == nil {
		return nil
	}
	return *s.value.Load()
}

// MaxSecret bounds a file with a secret, in bytes: a login frame carries it whole.
const MaxSecret = 64 << 10

// ReadSecret reads the secret in a file, less one LF or CRLF at its end. Others must not be
// able to read the file. Its errors name the flag and the file, never what is in it.
func ReadSecret(flag, path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	defer file.Close()

	// The open file is asked, not the path: another file may stand there by now.
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("%s: others can get at %s (mode %04o); run chmod o= on it", flag, path, mode)
	}
	secret, err := io.ReadAll(io.LimitReader(file, MaxSecret+1))
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
