package ingest

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	httpsink "feedgate/worker/sink/http"
	"feedgate/worker/sink/sinktest"
)

// TestHandler: a batch is stored once, after a store that fails, too, and a message that is not JSON is
// refused alone.
func TestHandler(t *testing.T) {
	var stored []string
	failures := 2
	sinktest.VerifyNoLeaks(t)
	s := httptest.NewServer(Handler(func(batch []json.RawMessage) error {
		if failures--; failures >= 0 {
			return errors.New("no space left")
		}
		for _, m := range batch {
			stored = append(stored, string(m))
		}
		return nil
	}))
	t.Cleanup(s.Close)
	g := handlertest.Start(t, sinktest.Open(t, httpsink.Kind, s.URL+"/?format=json", sink.Config{}), 1, 64)
	for i, m := range []string{`{"n":1}`, "{", `{"n":2}`} {
		g.Send(0, []byte(m))
		g.Wait(i + 1)
	}
	g.Stop()
	if want := []string{`{"n":1}`, `{"n":2}`}; !slices.Equal(stored, want) || g.Refused != 1 {
		t.Errorf("stored %q, %d refused", stored, g.Refused)
	}
}
