package credential

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	for text, want := range map[string]string{
		"s3cret":          "s3cret",
		"s3cret\n":        "s3cret",
		"s3cret\n\n":      "s3cret\n",
		"s3cret \r\n":     "s3cret ",
		"s3cret\r":        "s3cret\r",
		"s3cret\r\n\r\n":  "s3cret\r\n",
		"\x00\xff":        "\x00\xff",
		"\ns3cret":        "\ns3cret",
		longSecret:        longSecret,
		longSecret + "\n": longSecret,
	} {
		if got, err := ReadSecret("--token-file", file(t, "token", text)); string(got) != want || err != nil {
			t.Errorf("%.20q: %.20q, %v", text, got, err)
		}
	}
}

var longSecret = strings.Repeat("x", MaxSecret)

func TestSecretModes(t *testing.T) {
	path := file(t, "token", "s3cret")
	for mode := range os.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // its owner cannot read it, unless it is root
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSecret("--token-file", path)
		if refused := err != nil; refused != (mode&0o007 != 0) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "--token-file: ") || !strings.Contains(err.Error(), path)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestSecretFaults(t *testing.T) {
	for name, path := range map[string]string{
		"none":      "/nonexistent/token",
		"empty":     file(t, "token", ""),
		"newline":   file(t, "token", "\n"),
		"too long":  file(t, "token", longSecret+"xs3cret"),
		"directory": privateDir(t),
	} {
		secret, err := ReadSecret("--token-file", path)
		if err == nil || !strings.HasPrefix(err.Error(), "--token-file: ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %.20q, %v", name, secret, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error contains the secret", name)
		}
	}
}

func privateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// file writes a file in a temporary directory.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretIsReplaced(t *testing.T) {
	s := NewSecret([]byte("first"))
	if string(s.Bytes()) != "first" {
		t.Errorf("%q", s.Bytes())
	}
	if s.Set([]byte("second")); string(s.Bytes()) != "second" || (*Secret)(nil).Bytes() != nil {
		t.Errorf("%q", s.Bytes())
	}
}

// TestSecretFlag: the error names the flag of the file.
func TestSecretFlag(t *testing.T) {
	if _, err := ReadSecret("--sink-password-file", "/nonexistent"); err == nil || !strings.HasPrefix(err.Error(), "--sink-password-file: ") {
		t.Errorf("%v", err)
	}
}
