package gateway

import "sync/atomic"

// Secret is a login secret. Gateways share one and read it at each login; Set replaces it
// for later logins. Any goroutine may call its methods.
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

// bytes is the current secret; nil if s is nil.
func (s *Secret) bytes() []byte {
	if s == nil {
		return nil
	}
	return *s.value.Load()
}
