package header

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func framing(name string) string {
	if slices.Contains(Framing, name) {
		return "is reserved"
	}
	return ""
}

func TestParse(t *testing.T) {
	for line, want := range map[string]Header{
		"A: b":             {"A", "b"},
		"X-A:b":            {"X-A", "b"},
		"A:  b:c, {token}": {"A", "b:c, {token}"},
		"A: \tb c \t":      {"A", "b c"},
		"A:":               {"A", ""},
		"A: \xc3\xa9":      {"A", "\u00e9"},
	} {
		if got, err := Parse(line, framing); got != want || err != nil {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

// TestFaults: all are reported, with their position, and none quotes what may be a secret.
func TestFaults(t *testing.T) {
	lines := []string{"s3cret", "A: b", "s3 cret: a", ": s3cret", "X: s3cret\r\nB: c", "Content-Length: 0"}
	_, err := ParseAll("--h", lines, framing)
	want := []string{
		"--h: header 1: is not 'Name: value'",
		"--h: header 3: its name may only have letters, digits and !#$%&'*+-.^_`|~",
		"--h: header 4: its name may only have letters, digits and !#$%&'*+-.^_`|~",
		"--h: header 5: the value of X holds a control character",
		"--h: header 6: Content-Length is reserved",
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("%v\nnot\n%s", err, strings.Join(want, "\n"))
	}
}

func TestWithToken(t *testing.T) {
	h, err := Parse("Authorization: Bearer {token}", framing)
	if err != nil || !h.HasToken() || !AnyToken([]Header{{"A", "b"}, h}) || AnyToken([]Header{{"A", "b"}}) {
		t.Fatalf("%q, %v", h, err)
	}
	for token, want := range map[string]string{"s3cret": "Bearer s3cret", "": "Bearer ", "a\nb": "Bearer ", "a\x7f": "Bearer "} {
		if got := h.WithToken([]byte(token)); got != want {
			t.Errorf("%q: %q, want %q", token, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		after, date string
		wait        time.Duration
		at          time.Time
	}{
		{"", "", 0, time.Time{}},
		{"7", "", 7 * time.Second, time.Time{}},
		{" 7 ", date(0), 7 * time.Second, time.Time{}},
		{"0", "", 1, time.Time{}},
		{"-1", "", 0, time.Time{}},
		{"soon", "", 0, time.Time{}},
		{"99999999999999999999999", "", MaxRetryAfter * time.Second, time.Time{}},
		{date(9 * time.Second), date(0), 9 * time.Second, time.Time{}},
		{date(-time.Second), date(0), 1, time.Time{}},
		{date(0), "", 0, at},
		{date(0), "no date", 0, at},
	} {
		wait, until := RetryAfter(http.Header{"Retry-After": {c.after}, "Date": {c.date}})
		if wait != c.wait || !until.Equal(c.at) {
			t.Errorf("%q, %q: %v, %v", c.after, c.date, wait, until)
		}
	}
}
