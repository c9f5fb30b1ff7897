package gateway

import (
	"context"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
)

type dialResult struct {
	fd   int
	addr string
	err  error
}

func (k *link) startDial() {
	k.phase = dialing
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	go func() {
		fd, addr, err := k.dialer.dial(ctx)
		k.dialed <- dialResult{fd, addr, err}
		k.l.post(k.takeDial)
	}()
}

// abandon ends whatever is going on, after the loop has ended.
func (k *link) abandon() {
	if k.cancel != nil {
		k.cancel()
		if r := <-k.dialed; r.err == nil {
			k.sock.fd = r.fd
		}
	}
	if k.sock.fd >= 0 {
		k.sock.close()
		k.sock.fd = -1
	}
	k.l.in.dropSlab()
}

// takeDial takes what the dialing goroutine has brought.
func (k *link) takeDial() {
	r := <-k.dialed
	k.cancel()
	k.cancel = nil
	now := k.l.now()
	if r.err != nil {
		k.phase = offline
		k.redial = now + k.backoff.NextBackOff()
		if !k.l.stop.leaving {
			k.l.log.Error("cannot connect; will try again", "upstream", k.l.cfg.URL, "error", r.err,
				"retry_in", k.redial-now)
		}
		return
	}
	k.connected(r.fd, r.addr, now)
}

func (k *link) connected(fd int, addr string, now time.Duration) {
	k.sock.fd, k.addr = fd, addr
	k.conn = k.l.set.proto.NewConn()
	k.phase = login
	k.readable, k.writable, k.hup, k.dead = false, true, false, false
	k.heard, k.wrote, k.tick = now, now, 0
	k.deadline = now + k.l.cfg.ConnectTimeout
	k.acked, k.owed = false, 0
	if err := k.l.poller.AddReadWrite(&netpoll.PollAttachment{FD: fd}, true); err != nil {
		k.lost(now, "watch the socket", err)
		return
	}
	k.l.log.Debug("connected", "addr", addr)
	k.l.out.buf = k.conn.Open(k.l.out.buf, k.l.resume())
	k.l.out.appended(0, 0)
	k.l.in.more = true // Decode is called once with nothing
}
