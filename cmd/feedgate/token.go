package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// maxToken bounds a token file, in bytes: a login frame carries it whole.
const maxToken = 64 << 10

// readToken reads the secret in a file, less one LF or CRLF at its end. Its errors
// name --token-file and the file, never what is in it.
func readToken(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	defer file.Close()

	// The open file is asked, not the path: another file may stand there by now.
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return nil, fmt.Errorf("--token-file: others can get at %s (mode %04o); run chmod o= on it", path, mode)
	}
	token, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if line, ended := bytes.CutSuffix(token, []byte("\n")); ended {
		token = bytes.TrimSuffix(line, []byte("\r"))
	}
	switch {
	case len(token) == 0:
		return nil, fmt.Errorf("--token-file: %s is empty", path)
	case len(token) > maxToken:
		return nil, fmt.Errorf("--token-file: %s is longer than %d bytes", path, maxToken)
	}
	return token, nil
}
