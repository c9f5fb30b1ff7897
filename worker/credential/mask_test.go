package credential

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestMasks: no part of a line contains a secret, nor a later value of it.
func TestMasks(t *testing.T) {
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var out bytes.Buffer
		var masks Masks
		secret, other := NewSecret([]byte(`s3cr "et`)), NewSecret([]byte("nothing"))
		masks.Add(secret, nil, other)
		log := slog.New(masks.Handler(handler(&out)))
		lines := func() {
			for _, form := range []string{`s3cr "et`, "s3cr+%22et", "s3cr%20%22et", `s3cr \"et`, "czNjciAiZXQ"} {
				log.Info("message " + form)
				log.Info("m", "string", "a"+form+"b", "error", errors.New("it says "+form))
				log.Info("m", slog.Group("g", "inner", form), "list", []string{form}, "lazy", lazy(form))
				log.With("with", form).WithGroup("group").Info("m", "n", 7, "in", form)
			}
		}
		lines()
		if strings.Contains(out.String(), "s3cr") || strings.Contains(out.String(), "czNj") || strings.Count(out.String(), "***") != 5*8 {
			t.Errorf("%s: the log shows\n%s", name, out.String())
		}
		out.Reset()
		secret.Set([]byte("another"))
		lines()
		if log.Info("this is another"); !strings.Contains(out.String(), "s3cr") || strings.Contains(out.String(), "another") {
			t.Errorf("%s: with another secret the log shows\n%s", name, out.String())
		}
	}
}

type lazy string

func (l lazy) LogValue() slog.Value { return slog.StringValue(string(l)) }

// TestShortSecretsAreNotMasked: stars would reveal them.
func TestShortSecretsAreNotMasked(t *testing.T) {
	var masks Masks
	masks.Add(NewSecret([]byte("e")), NewSecret(nil))
	if got := masks.Text("here"); got != "here" || masks.Hides(got) {
		t.Errorf("%q", got)
	}
}
