package durable

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// readLimit is how long a file may take to be read. A pipe may have a person at its other end, who enters a
// passphrase.
var readLimit = 30 * time.Second

// ReadFile reads a file of at most so many bytes, for settings, certificates and secrets. It may be a pipe, as a
// shell's <(COMMAND) is, but is not waited for without end. accept, which may be nil, is called with what the
// open file is, because the path may name another one by now; an error of it is returned.
func ReadFile(path string, most int64, accept func(fs.FileInfo) error) ([]byte, error) {
	var data []byte
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	err := Within(ctx, path, func() (err error) {
		data, err = readFile(path, most, accept)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

func readFile(path string, most int64, accept func(fs.FileInfo) error) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && accept != nil {
		err = accept(info)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, most)
	}
	return data, err
}
