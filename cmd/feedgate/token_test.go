package main

import (
	"os"
	"strings"
	"testing"
)

func TestToken(t *testing.T) {
	for text, want := range map[string]string{
		"s3cret":         "s3cret",
		"s3cret\n":       "s3cret",
		"s3cret\n\n":     "s3cret\n",
		"s3cret \r\n":    "s3cret ",
		"s3cret\r":       "s3cret\r",
		"s3cret\r\n\r\n": "s3cret\r\n",
		"\x00\xff":       "\x00\xff",
		"\ns3cret":       "\ns3cret",
		longToken:        longToken,
		longToken + "\n": longToken,
	} {
		if got, err := readToken(file(t, "token", text)); string(got) != want || err != nil {
			t.Errorf("%.20q: %.20q, %v", text, got, err)
		}
	}
}

var longToken = strings.Repeat("x", maxToken)

func TestTokenModes(t *testing.T) {
	path := file(t, "token", "s3cret")
	for mode := range os.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // its owner cannot read it, unless it is root
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := readToken(path)
		if refused := err != nil; refused != (mode&0o007 != 0) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "--token-file: ") || !strings.Contains(err.Error(), path)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestTokenFaults(t *testing.T) {
	for name, path := range map[string]string{
		"none":      "/nonexistent/token",
		"empty":     file(t, "token", ""),
		"newline":   file(t, "token", "\n"),
		"too long":  file(t, "token", longToken+"xs3cret"),
		"directory": privateDir(t),
	} {
		token, err := readToken(path)
		if err == nil || !strings.HasPrefix(err.Error(), "--token-file: ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %.20q, %v", name, token, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the secret", name)
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
