package credential

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
)

// leastMasked is the length of the shortest secret that is masked, in bytes: stars for every
// occurrence of one letter would make the log unreadable and reveal the secret.
const leastMasked = 4

// Masks replaces secrets in logs by stars. Several loggers may share one. Any goroutine may call
// its methods. The zero value has no secrets.
type Masks struct {
	mu      sync.RWMutex
	secrets []*Secret
}

// Add adds secrets. It ignores nil ones. Later values of a secret are masked as well.
func (m *Masks) Add(secrets ...*Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range secrets {
		if s != nil {
			m.secrets = append(m.secrets, s)
		}
	}
}

// Text returns s with stars in place of each secret, also where it is escaped as in a URL or in JSON, or
// encoded in Base64.
func (m *Masks) Text(s string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, secret := range m.secrets {
		plain := string(secret.Bytes())
		if len(plain) < leastMasked {
			continue
		}
		for _, form := range forms(plain) {
			s = strings.ReplaceAll(s, form, "***")
		}
	}
	return s
}

// forms returns the forms in which a peer may repeat a secret. Padding of Base64 is left out.
func forms(secret string) []string {
	inJSON, err := json.Marshal(secret)
	if err != nil {
		panic(err) // a string
	}
	return []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), string(inJSON[1 : len(inJSON)-1]),
		base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
}

// Hides reports whether s contains a secret.
func (m *Masks) Hides(s string) bool { return m.Text(s) != s }

// Handler returns a log handler that passes records to next with secrets masked.
func (m *Masks) Handler(next slog.Handler) slog.Handler { return maskHandler{next, m} }

type maskHandler struct {
	slog.Handler
	masks *Masks
}

// Handle implements [slog.Handler].
func (h maskHandler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, h.masks.Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(h.masks.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, masked)
}

// WithAttrs implements [slog.Handler].
func (h maskHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.masks.attr(a)
	}
	return maskHandler{h.Handler.WithAttrs(masked), h.masks}
}

// WithGroup implements [slog.Handler].
func (h maskHandler) WithGroup(name string) slog.Handler {
	return maskHandler{h.Handler.WithGroup(name), h.masks}
}

func (m *Masks) attr(a slog.Attr) slog.Attr {
	switch a.Value = a.Value.Resolve(); a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(m.Text(a.Value.String()))
	case slog.KindGroup:
		group := a.Value.Group()
		masked := make([]slog.Attr, len(group))
		for i := range group {
			masked[i] = m.attr(group[i])
		}
		a.Value = slog.GroupValue(masked...)
	case slog.KindAny:
		// It is logged as text.
		if text := fmt.Sprint(a.Value.Any()); m.Hides(text) {
			a.Value = slog.StringValue(m.Text(text))
		}
	}
	return a
}
