package ws

import (
	"context"
	"errors"

	"github.com/lxzan/gws"

	"feedgate/bench/baselines"
)

// GWS is a client with github.com/lxzan/gws.
func GWS(ctx context.Context, addr string, workers int, work func(msg []byte)) (baselines.Result, error) {
	return run(ctx, "gws", dialGWS, addr, workers, work)
}

// gwsSocket is also the event handler that the library calls in ReadLoop.
type gwsSocket struct {
	gws.BuiltinEventHandler
	c  *gws.Conn
	in *receiver
	// err is why the connection has ended.
	err error
}

func dialGWS(_ context.Context, c *conn, url string) (socket, error) {
	s := new(gwsSocket)
	var err error
	s.c, _, err = gws.NewClientFromConn(s, &gws.ClientOption{
		Addr: url, ReadBufferSize: readSize, ReadMaxPayloadSize: maxMessage,
	}, c)
	return s, err
}

func (s *gwsSocket) read(in *receiver) error {
	s.in = in
	s.c.ReadLoop()
	if e := (*gws.CloseError)(nil); errors.As(s.err, &e) && (e.Code == 0 || e.Code == 1000 || e.Code == 1001) {
		return nil
	}
	return s.err
}

func (s *gwsSocket) write(text []byte) error { return s.c.WriteMessage(gws.OpcodeText, text) }

func (s *gwsSocket) OnMessage(_ *gws.Conn, m *gws.Message) {
	data := m.Bytes()
	if len(data) > copyLimit {
		s.in.put(data, m)
		return
	}
	b := s.in.buf()
	*b = append(*b, data...)
	_ = m.Close()
	s.in.put(*b, nil)
}

func (s *gwsSocket) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (s *gwsSocket) OnClose(_ *gws.Conn, err error) { s.err = err }
