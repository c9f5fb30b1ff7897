// Package ingest is an example of docs/sinks-http.md: a web server for the sink http://.
package ingest

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// Handler returns a handler that gives each batch to store, once.
func Handler(store func(batch []json.RawMessage) error) http.Handler {
	var mu sync.Mutex
	stored := map[string]bool{} // in a real service: in the transaction of store, and kept for some days
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusRequestTimeout) // cut off: later
			return
		}
		var batch []json.RawMessage
		if json.Unmarshal(body, &batch) != nil {
			w.WriteHeader(http.StatusBadRequest) // never
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if key := r.Header.Get("Idempotency-Key"); !stored[key] {
			if err := store(batch); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable) // later
				return
			}
			stored[key] = true
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
