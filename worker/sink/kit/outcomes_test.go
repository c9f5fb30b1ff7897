package kit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
)

// TestDenied: before the server has accepted a message, Denied fails the sink; afterwards, the
// messages wait.
func TestDenied(t *testing.T) {
	away := true
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		if away && string(b.At(0).Data) != "first" {
			away = false
			b.ResolveAll(Denied(errAway))
			return
		}
		s.accept(b, 0, b.Len())
	}
	k := open(t, s, Config{}, sink.Config{})
	g := handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("first"))
	g.Wait(1)
	g.Send(0, []byte("second"))
	g.Wait(2)
	g.Stop()
	if g.Refused != 0 || k.Err() != nil {
		t.Errorf("%d refused, %v", g.Refused, k.Err())
	}

	s = &server{answer: func(_ context.Context, b *Batch) { b.ResolveAll(Denied(errAway)) }}
	k = open(t, s, Config{}, sink.Config{ReconnectMin: time.Hour, ReconnectMax: time.Hour})
	g = handlertest.Start(t, k, 1, 64)
	g.Send(0, []byte("first"))
	<-k.Failed()
	g.WantResolved(0)
	g.Stop()
	if !errors.Is(k.Err(), errAway) {
		t.Errorf("%v", k.Err())
	}
}

// TestUnfitFromTheStart: messages that the sink cannot send are refused, and show nothing about the
// settings.
func TestUnfitFromTheStart(t *testing.T) {
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		for i := range b.Len() {
			if strings.HasPrefix(string(b.At(i).Data), "unfit") {
				b.Resolve(i, 1, Unfit(worker.BadRequest))
			}
		}
		b.ResolveAll(Refused(worker.Refused))
	}
	k := open(t, s, Config{Linger: time.Hour, MaxMessages: 2}, sink.Config{})
	g := handlertest.Start(t, k, 1, 64)
	for range 2 {
		g.Send(0, []byte("unfit"))
	}
	g.Wait(2)
	if g.Refused != 2 || g.Code(0) != worker.BadRequest || k.Err() != nil {
		t.Errorf("%d refused, %v", g.Refused, k.Err())
	}
	// Of the messages that are sent, the server refuses all: the settings are wrong.
	g.Send(0, []byte("unfit"))
	g.Send(0, []byte("other"))
	<-k.Failed()
	g.Wait(3)
	g.WantResolved(3)
	g.Stop()
}

// TestUnfitBesideOthers: a batch keeps its ID without its unfit messages, which the server never
// gets, and is split without them.
func TestUnfitBesideOthers(t *testing.T) {
	type sending struct {
		id   uint64
		text string
	}
	var sent []sending // written by the sender; read once it has ended
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		text := ""
		for i := range b.Len() {
			m := string(b.At(i).Data)
			if m == "u" {
				b.Resolve(i, 1, Unfit(worker.BadRequest))
				continue
			}
			text += m
		}
		sent = append(sent, sending{b.ID, text})
		switch len(sent) {
		case 1:
			b.ResolveAll(Done())
		case 2:
			b.ResolveAll(Again(0, errAway))
		default:
			if strings.Contains(text, "x") {
				b.Split(worker.Refused)
				return
			}
			b.ResolveAll(Done())
		}
	}
	k := open(t, s, Config{Linger: time.Hour, MaxMessages: 5}, sink.Config{ReconnectMin: time.Millisecond, ReconnectMax: time.Millisecond})
	g := handlertest.Start(t, k, 1, 64)
	for _, m := range []string{"1", "2", "3", "4", "5", "u", "a", "x", "u", "b"} {
		g.Send(0, []byte(m))
	}
	g.Wait(10)
	g.Stop()
	want := []sending{{1, "12345"}, {2, "axb"}, {2, "axb"}, {3, "a"}, {4, "xb"}, {5, "x"}, {6, "b"}}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	for number, code := range []worker.Code{5: worker.BadRequest, 6: worker.OK, 7: worker.Refused, 8: worker.BadRequest, 9: worker.OK} {
		if number >= 5 && g.Code(number) != code {
			t.Errorf("message %d has code %d, want %d", number, g.Code(number), code)
		}
	}
}

// TestSplitKeepsTheOrder: messages of a key that are split, and those that are sent again with
// them, stay in order.
func TestSplitKeepsTheOrder(t *testing.T) {
	tries := 0
	s := new(server)
	s.answer = func(_ context.Context, b *Batch) {
		if tries++; tries == 2 {
			b.Resolve(2, 1, Again(0, errAway))
			b.Split(worker.Refused)
			return
		}
		s.accept(b, 0, b.Len())
	}
	g := handlertest.Start(t, open(t, s, Config{Linger: time.Hour, MaxMessages: 4}, sink.Config{}), 1, 64)
	var want []string
	for i := range 8 {
		m := string(rune('a' + i))
		want = append(want, m)
		g.Send(0, []byte(m))
	}
	g.Wait(8)
	g.Stop()
	if got := s.contents(); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}
