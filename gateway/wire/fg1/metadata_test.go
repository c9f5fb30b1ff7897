package fg1

import (
	"testing"

	"feedgate/worker"
)

func TestMetadata(t *testing.T) {
	meta := New(Config{MaxMessage: testMax}).Meta
	for _, c := range []struct{ session, id string }{{"s-1", "s-1-42"}, {"", ""}} {
		m := (&worker.Origin{Session: c.session, Meta: meta}).Message([]byte("data"), 42, 0)
		if string(m.Data) != "data" || m.ID() != c.id || m.Meta("session") != c.session || m.Meta("seq") != "42" || m.Meta("topic") != "" {
			t.Errorf("session %q: %q, id %q, session %q, seq %q", c.session, m.Data, m.ID(), m.Meta("session"), m.Meta("seq"))
		}
	}
	for _, name := range []string{"session", "seq"} {
		if err := meta.Check("fg", name); err != nil {
			t.Error(err)
		}
	}
	if err := meta.Check("fg", "topic"); err == nil || err.Error() != "meta:topic: fg:// has session, seq" {
		t.Errorf("error %v", err)
	}
}
