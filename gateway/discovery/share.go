package discovery

import "sync/atomic"

// share divides one credit among gateways. Each gets the same, at least 1, because a server
// without any sends nothing; so with more gateways than that there are more in flight.
type share struct {
	total int
	n     atomic.Int64 // gateways; written by Run's goroutine, read by their loops
}

func (s *share) among(n int) { s.n.Store(int64(n)) }

// credit is what one gateway gets.
func (s *share) credit() int { return max(1, s.total/int(max(1, s.n.Load()))) }
