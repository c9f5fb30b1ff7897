package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"feedgate/bench"
)

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	want := full(t)
	var b strings.Builder
	if err := want.Encode(&b); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(b.String())
	s, err := Load(path)
	if err != nil || s.Name != path || !reflect.DeepEqual(s.File, want) {
		t.Errorf("%v, %+v", err, s)
	}
	for _, text := range []string{
		"", "{", "[]", "1", "null", "{}", `{"rows":[]}`, `{"rows":[{}]}`, `{"rows":[{"subject":"a"},{"msgs":1}]}`, `{"rows":{}}`, `{"rows":[{"subject":1}]}`, b.String()[:500],
	} {
		write(text)
		if s, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") || s.File != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := Load(path + ".not"); err == nil || !strings.Contains(err.Error(), path+".not") {
		t.Errorf("no file: %v", err)
	}
}

// TestFacts: unknown facts are left out.
func TestFacts(t *testing.T) {
	for _, c := range []struct {
		meta bench.Meta
		want []fact
	}{
		{bench.Meta{}, nil},
		{bench.Meta{Cores: 1, Rounds: 1, Commit: "abc", Command: []string{"a", "", "$b"}}, []fact{
			{"machine", "1 core"}, {"go", "commit abc"}, {"run", "1 round"}, {"command", `a "" "$b"`},
		}},
	} {
		if got := facts(&c.meta); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
