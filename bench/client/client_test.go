package client

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestMainRunsAfterTheOrder(t *testing.T) {
	args := strings.Fields("--addr h:1 --workers 3 --work-ns 5 --read --key-form json --to discard:")
	want := Flags{Addr: "h:1", Workers: 3, WorkNS: 5, Read: true, KeyForm: "json", To: "discard:"}
	var out strings.Builder
	err := Main(t.Context(), args, strings.NewReader("go\n"), &out, func(f Flags) (Run, error) {
		if f != want {
			t.Errorf("flags %+v, want %+v", f, want)
		}
		return func(context.Context) (uint64, error) {
			if out.String() != "{\"ready\":true}\n" {
				t.Errorf("it began after %q", out.String())
			}
			return 7, nil
		}, nil
	})
	_, last, _ := strings.Cut(out.String(), "\n")
	var o Outcome
	if err := errors.Join(err, json.Unmarshal([]byte(last), &o)); err != nil || o.Messages != 7 ||
		*o.Allocs < 0 || *o.CPUNS < 0 || *o.RSSBytes < 1<<20 {
		t.Errorf("%v, output %q", err, out.String())
	}
}

func TestMainFaults(t *testing.T) {
	broken := errors.New("broken")
	fine := func(context.Context) (uint64, error) { return 0, nil }
	for name, c := range map[string]struct {
		args, in, want string
		prepare        Run
		prepareErr     error
	}{
		"unknown flag": {"--frob", "go\n", "frob", fine, nil},
		"preparation":  {"", "go\n", "broken", nil, broken},
		"no order":     {"", "", "waiting to begin", fine, nil},
		"run":          {"", "go\n", "broken", func(context.Context) (uint64, error) { return 0, broken }, nil},
	} {
		var out strings.Builder
		err := Main(t.Context(), strings.Fields(c.args), strings.NewReader(c.in), &out, func(Flags) (Run, error) { return c.prepare, c.prepareErr })
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(out.String(), "messages") {
			t.Errorf("%s: %v, output %q", name, err, out.String())
		}
	}
}
