package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// notUTF8 continues an error about a text, which kong and YAML would change.
const notUTF8 = "not UTF-8; a template has such a byte as \\xHH, a URL as %HH"

// argumentFaults returns an error for each argument that is not UTF-8, with its flag.
func argumentFaults(args []string) (faults []error) {
	for i, arg := range args {
		if utf8.ValidString(arg) {
			continue
		}
		name := fmt.Sprintf("argument %d", i+1)
		if flag, _, _ := strings.Cut(arg, "="); strings.HasPrefix(flag, "--") && utf8.ValidString(flag) {
			name = flag
		} else if i > 0 && strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "=") {
			name = args[i-1]
		}
		faults = append(faults, fmt.Errorf("%s: %s", name, notUTF8))
	}
	return faults
}

// valueFault returns an error if the value of a flag, from the environment, is not UTF-8.
func valueFault(flag string, value any) error {
	if utf8.ValidString(fmt.Sprint(value)) {
		return nil
	}
	return fmt.Errorf("--%s: %s", flag, notUTF8)
}

// urlFault returns an error if a URL is not UTF-8.
func urlFault(url string) error {
	if utf8.ValidString(url) {
		return nil
	}
	return errors.New("upstream URL: " + notUTF8)
}

// invalid is the index of the first byte that is not UTF-8; len(b) if there is none.
func invalid(b []byte) int {
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}
