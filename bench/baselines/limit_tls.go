package baselines

import (
	"context"
	"crypto/tls"
	"fmt"
)

// LimitTLS is [Limit] over a tls.Conn with the configuration: a bare loop of reads, with one write
// for the acks of each read.
func LimitTLS(cfg *tls.Config) Func {
	return func(ctx context.Context, addr string, _ int, _ func(msg []byte)) (Result, error) {
		nc, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return Result{}, fmt.Errorf("limit-tls: %w", err)
		}
		c := nc.(*tls.Conn)
		defer c.Close()
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
		return converse(ctx, c, "limit-tls", func(first uint64, res *Result) error { return receiveAll(c, first, res) })
	}
}
