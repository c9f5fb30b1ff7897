package accept

import (
	"strings"
	"testing"
)

// unbuilt are the parts of the contract that the command does not have yet: the
// help that will tell of each, and a word of it. Their tests are skipped by name,
// and fail once the command has what is listed here, so that the list shrinks.
var unbuilt = map[string]struct{ command, word string }{
	"nsq": {"run --help", "--nsqlookupd"},
}

// needs skips a test whose part of the contract is not built.
func needs(t *testing.T, part string) {
	t.Helper()
	missing, listed := unbuilt[part]
	if !listed {
		return
	}
	if strings.Contains(command(t, nil, strings.Fields(missing.command)...).stdout, missing.word) {
		t.Fatalf("%s is built: take it off the list of what is not", part)
	}
	t.Skipf("NOT TESTED: the contract's %s is not built", part)
}

// partOf is what a command line needs beyond what there always was.
func partOf(line string) string {
	for part, words := range map[string][]string{
		"assemble": {"--assemble"}, "nsq": {"nsq:"}, "tls": {"tls"}, "ws": {"ws:", "--protocol=ws"},
	} {
		for _, word := range words {
			if strings.Contains(line, word) {
				return part
			}
		}
	}
	return ""
}
