package handlertest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"feedgate/worker"
)

// failing records what would fail a test.
type failing struct {
	testing.TB
	errors []string
}

func (f *failing) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(f)
}

// fails returns how f fails its test; empty: it does not.
func fails(t *testing.T, f func(t testing.TB)) string {
	tb := &failing{TB: t}
	func() {
		defer func() { _ = recover() }()
		f(tb)
	}()
	return strings.Join(tb.errors, "\n")
}

// TestDataArePoisoned: a handler that keeps data for too long reads Poison, with metadata and
// without.
func TestDataArePoisoned(t *testing.T) {
	var kept [][]byte
	sink := worker.Each(func(_ context.Context, m worker.Message) error {
		kept = append(kept, m.Data)
		return nil
	})
	Run(t, sink, Message{Data: "one"}, Message{Data: "two", ID: "2"})
	for _, data := range kept {
		if !bytes.Equal(data, []byte{Poison, Poison, Poison}) {
			t.Errorf("kept data are %q", data)
		}
	}
}

func TestChangedDataFailTheTest(t *testing.T) {
	sink := worker.Each(func(_ context.Context, m worker.Message) error {
		m.Data[0] = 'X'
		return nil
	})
	if got := fails(t, func(t testing.TB) { Run(t, sink, Messages("one")...) }); !strings.Contains(got, "changed the data of message 0") {
		t.Errorf("failed with %q", got)
	}
}

// TestAgainIsSoon: the wait for a message that is wanted again takes no time of the test.
func TestAgainIsSoon(t *testing.T) {
	tries := 0
	began := time.Now()
	codes := Run(t, worker.Each(func(context.Context, worker.Message) error {
		if tries++; tries < 4 {
			return worker.Again(24 * time.Hour)
		}
		return worker.Refuse(worker.CodeHandler)
	}), Messages("one")...)
	if codes[0] != worker.CodeHandler || tries != 4 || time.Since(began) > Patience {
		t.Errorf("code %d after %d tries, %v", codes[0], tries, time.Since(began))
	}
}

func TestMetadata(t *testing.T) {
	var got string
	Run(t, worker.Each(func(_ context.Context, m worker.Message) error {
		got = strings.Join([]string{string(m.Data), m.Meta("topic"), m.Meta("other"), m.ID(), m.Upstream(), m.Session()}, ",")
		return nil
	}), Message{Data: "data", Meta: map[string]string{"topic": "orders"}, ID: "7", Upstream: "fg://a:1", Session: "s"})
	if want := "data,orders,,7,fg://a:1,s"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestUnresolved: what is not resolved fails the checks for it.
func TestUnresolved(t *testing.T) {
	blocked := make(chan struct{})
	g := Start(t, worker.Each(func(context.Context, worker.Message) error { <-blocked; return nil }), 1, 1)
	g.Send(0, []byte("one"))
	real := g.t
	for want, check := range map[string]func(){
		"message 0 is not resolved":       func() { g.Code(0) },
		"0 messages are resolved, want 1": func() { g.WantResolved(1) },
	} {
		if got := fails(t, func(t testing.TB) { g.t = t; check() }); got != want {
			t.Errorf("failed with %q, want %q", got, want)
		}
	}
	g.t = real
	close(blocked)
	g.Wait(1)
	g.WantResolved(1)
	if g.Code(0) != worker.OK || g.Sent() != 1 || g.Refused != 0 {
		t.Errorf("code %d, %d sent, %d refused", g.Code(0), g.Sent(), g.Refused)
	}
}
