package discovery

import "sync/atomic"

// share divides a credit equally among gateways. Each gets at least 1, because a server without
// credit sends nothing; so more gateways than the credit exceed it.
type share struct {
	total int
	n     atomic.Int64 // number of gateways; written by Run's goroutine, read by their loops
}

func (s *share) divide(n int) { s.n.Store(int64(n)) }

// credit returns the part of one gateway.
func (s *share) credit() int { return max(1, s.total/int(max(1, s.n.Load()))) }
