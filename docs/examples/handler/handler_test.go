package handler

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
)

// shelf is a Stock that is busy once.
type shelf struct {
	busy  bool
	items map[string]int
}

func (s *shelf) Reserve(_ context.Context, item string, count int) error {
	if s.busy {
		s.busy = false
		return ErrBusy
	}
	if s.items[item] < count {
		return errors.New("sold out")
	}
	s.items[item] -= count
	return nil
}

func TestReserve(t *testing.T) {
	stock := &shelf{busy: true, items: map[string]int{"tea": 5}}
	codes := handlertest.Run(t, worker.Each(Reserve(stock)), handlertest.Messages(
		`{"item":"tea","count":3}`,
		`not JSON`,
		`{"item":"tea","count":3}`,
	)...)
	// The first order was reserved last, when the stock was no longer busy.
	if want := []worker.Code{SoldOut, worker.BadRequest, worker.OK}; !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
	if stock.items["tea"] != 2 {
		t.Errorf("%d left, want 2", stock.items["tea"])
	}
}

func TestPost(t *testing.T) {
	var busy, full atomic.Bool
	busy.Store(true)
	var stored []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case busy.CompareAndSwap(true, false): // once
			w.WriteHeader(http.StatusServiceUnavailable)
		case full.Load():
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		default:
			stored = append(stored, strings.Fields(string(body))...)
		}
	}))
	t.Cleanup(server.Close)
	sink := Post(server.URL)

	codes := handlertest.Run(t, sink, handlertest.Messages("a", "b", "c")...)
	if want := []worker.Code{worker.OK, worker.OK, worker.OK}; !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
	slices.Sort(stored) // what was wanted again may have been overtaken
	if want := []string{"a", "b", "c"}; !slices.Equal(stored, want) {
		t.Errorf("stored %q, want %q", stored, want)
	}
	full.Store(true)
	codes = handlertest.Run(t, sink, handlertest.Messages("d")...)
	if want := []worker.Code{worker.BadRequest}; !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
}

// TestPostStopped: what the server has not stored when the gateway stops is not acknowledged.
func TestPostStopped(t *testing.T) {
	g := handlertest.Start(t, Post("http://127.0.0.1:1/"), 1, 10)
	g.Send(0, []byte("a"))
	g.Stop()
	g.WantResolved(0)
}
