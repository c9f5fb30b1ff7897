package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// parseYAML parses the configuration file at path. Values that lack quotes are faults, too, and are taken as
// if they had them, so that the other faults are found. The file is nil if it cannot be parsed.
func parseYAML(path string, data []byte) (file *ast.File, faults []error) {
	for lines := bytes.Split(data, []byte("\n")); ; {
		file, err := parser.ParseBytes(bytes.Join(lines, []byte("\n")), 0)
		if err == nil {
			return file, faults
		}
		var fault yaml.Error
		if !errors.As(err, &fault) || fault.GetToken() == nil {
			return nil, append(faults, fmt.Errorf("--config: %s: %w", path, err))
		}
		number, text := fault.GetToken().Position.Line, fault.GetMessage()
		var line []byte
		if number > 0 && number <= len(lines) {
			line = lines[number-1]
		}
		asMeant := withQuotes(line)
		faults = append(faults, fmt.Errorf("--config: %s:%d: %s", path, number, yamlFault(text, line, asMeant != nil)))
		if asMeant == nil {
			return nil, faults
		}
		lines[number-1] = asMeant
	}
}

// yamlFault is a message of the parser about a line, in words that show what to do.
func yamlFault(text string, line []byte, quotes bool) string {
	switch {
	case bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\t")):
		return "the line is indented with a tab; YAML takes only spaces"
	case quotes:
		return text + "; put the value in quotes"
	case strings.Contains(text, "mapping value is not allowed"):
		return text + "; see the indentation of this line and of the next"
	}
	return text
}

// unquoted matches a line with a value that has no quotes and needs them: it has a colon at its end or before
// a space, or begins with a character that YAML reserves. A comment may follow.
var unquoted = regexp.MustCompile("^( *(?:- +|[A-Za-z0-9_-]+: +))((?:[^\\s\"'#\\[\\]{}|>&*!%@`].*?:(?: .*?)??)|[@`%].*?)( +#.*|\\s*)$")

// withQuotes returns the line with its value in quotes; nil: the value needs none.
func withQuotes(line []byte) []byte {
	m := unquoted.FindSubmatch(line)
	if m == nil || !bytes.Equal(bytes.ToValidUTF8(line, nil), line) {
		return nil
	}
	return bytes.Join([][]byte{m[1], []byte(quoted(string(m[2]))), m[3]}, nil)
}
