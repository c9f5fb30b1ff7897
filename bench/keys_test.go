package bench

import (
	"encoding/json"
	"testing"

	"feedgate/worker/selector"
)

// TestKeyForms: what the product's selector finds in the messages is what the other clients find, and all
// keys occur.
func TestKeyForms(t *testing.T) {
	const keys = 10
	for i := range keyForms {
		f := &keyForms[i]
		for _, size := range []int{f.least, 100} {
			s, err := selector.Parse(f.selector)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{}
			for _, m := range f.messages(keys, size) {
				key := string(s.Find(m))
				if len(m) != size || len(key) != keyLength || key != string(f.find(m)) {
					t.Fatalf("%s: key %q of %d bytes %q; other clients find %q", f.name, key, len(m), m, f.find(m))
				}
				if f.name == "json" && !json.Valid(m) {
					t.Fatalf("not JSON: %q", m)
				}
				found[key] = true
			}
			if len(found) != keys {
				t.Errorf("%s: %d keys, want %d", f.name, len(found), keys)
			}
		}
	}
}
