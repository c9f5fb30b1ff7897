package top

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/admin/view"
)

// period is the time between two requests.
const period = time.Second

// Run shows what the gateway with the admin address addr does, until ctx ends or somebody quits. If out
// is no terminal, it prints one snapshot.
func Run(ctx context.Context, addr string, in *os.File, out io.Writer) error {
	c, err := newClient(addr)
	if err != nil {
		return cli.Usage(err)
	}
	defer c.http.CloseIdleConnections()
	first, err := c.ask(ctx)
	if err != nil {
		return c.unreachable(err)
	}
	t := &top{client: c, in: in, colour: os.Getenv("NO_COLOR") == ""}
	t.history.Add(first)
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		return t.live(ctx, file)
	}
	return t.once(ctx, out)
}

func (c *client) unreachable(err error) error {
	return fmt.Errorf("%s: %w; is a gateway running, with this as its --admin address?", c.addr, err)
}

// top is the state of the display.
type top struct {
	client  *client
	in      *os.File
	history view.History
	colour  bool

	fault  error // of the last request
	offset int   // the first line of the scrolled part that is shown
}

// once prints one snapshot, which takes period because of the rates.
func (t *top) once(ctx context.Context, out io.Writer) error {
	select {
	case <-time.After(period):
	case <-ctx.Done():
		return nil
	}
	second, err := t.client.ask(ctx)
	if err != nil {
		return t.client.unreachable(err)
	}
	t.history.Add(second)
	p := newPainting(t.history.View(), 0, false)
	for _, line := range append(p.head(t.client.addr), p.body()...) {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// answer is that of a request, or the value of a panic.
type answer struct {
	snapshot *view.Snapshot
	err      error
	panicked any
}

// live shows the state once a second.
func (t *top) live(ctx context.Context, out *os.File) error {
	// These two would leave the terminal as it is.
	ctx, stop := signal.NotifyContext(ctx, unix.SIGHUP, unix.SIGQUIT)
	defer stop()
	screen, err := openTerminal(t.in, out)
	if err != nil {
		return err
	}
	defer screen.close()

	answers, pressed := make(chan answer), make(chan key)
	if screen.before != nil {
		go readKeys(t.in, pressed, ctx.Done())
	}
	go askAll(ctx, t.client.ask, answers)
	redraw := time.NewTicker(period)
	defer redraw.Stop()
	for {
		if err := t.draw(screen); err != nil {
			return nil // the terminal is gone
		}
		select {
		case <-ctx.Done():
			return nil
		case a := <-answers:
			if a.panicked != nil {
				panic(a.panicked) // here, so that the terminal is restored
			}
			t.fault = a.err
			if a.err == nil {
				t.history.Add(a.snapshot)
			}
		case k := <-pressed:
			switch k {
			case keyQuit:
				return nil
			case keyStop:
				if err := screen.stop(); err != nil {
					return err
				}
			default:
				t.scroll(k, screen)
			}
		case <-screen.resumed:
			if err := screen.enter(); err != nil {
				return err
			}
		case <-screen.resized:
		case <-redraw.C: // the age of the last answer
		}
	}
}

// askAll sends an answer each period until ctx ends.
func askAll(ctx context.Context, ask func(context.Context) (*view.Snapshot, error), to chan<- answer) {
	next := time.NewTicker(period)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		select {
		case to <- askOnce(ctx, ask):
		case <-ctx.Done():
			return
		}
	}
}

func askOnce(ctx context.Context, ask func(context.Context) (*view.Snapshot, error)) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a.panicked = p
		}
	}()
	a.snapshot, a.err = ask(ctx)
	return a
}

// draw shows the last answer, and whether it is old.
func (t *top) draw(screen *terminal) error {
	width, height := screen.size()
	p := newPainting(t.history.View(), width, t.colour)
	if t.fault != nil {
		p.old = true
	}
	lines := p.head(t.client.addr)
	if t.fault != nil {
		lines = append(p.stale(t.fault, time.Since(t.history.Last())), lines...)
	}
	body := p.body()
	space := max(height-len(lines)-1, 1)
	t.offset = max(0, min(t.offset, len(body)-space))
	shown := body[t.offset:min(len(body), t.offset+space)]
	lines = append(lines, shown...)
	lines = lines[:min(len(lines), max(height-1, 1))]
	return screen.draw(append(lines, p.foot(t.offset, t.offset+len(shown), len(body))))
}

// scroll moves the part below the head. draw limits the offset.
func (t *top) scroll(k key, screen *terminal) {
	_, height := screen.size()
	page := max(height-10, 1)
	switch k {
	case keyUp:
		t.offset--
	case keyDown:
		t.offset++
	case keyPageUp:
		t.offset -= page
	case keyPageDown:
		t.offset += page
	case keyHome:
		t.offset = 0
	case keyEnd:
		t.offset = 1 << 30
	}
}
