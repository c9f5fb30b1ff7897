package main

import (
	"strings"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"

	"github.com/alecthomas/kong"
)

// runGroups head the flags of run in its help.
func runGroups() []kong.Group {
	groups := []kong.Group{
		{Key: "work", Title: "Work:"},
		{Key: "acks", Title: "Acknowledgements:"},
		{Key: "limits", Title: "Limits (SIZE is bytes, or KiB, MiB, GiB):"},
		{Key: "connection", Title: "Connection (D is a duration such as 100ms, 5s, 1m30s):"},
	}
	groups = append(groups, headings(protocols.NewFlags())...)
	groups = append(groups,
		kong.Group{Key: "tls", Title: "Schemes with TLS (" + strings.Join(protocols.SecureNames(), ", ") + ") only:"},
		kong.Group{Key: sink.ServerGroup, Title: sinks.ServerTitle()},
	)
	groups = append(groups, headings(sinks.NewFlags())...)
	return append(groups, kong.Group{Key: "process", Title: "Process:"})
}

// headings are those of groups of flags that have one.
func headings(flags *flagset.Flags) (groups []kong.Group) {
	for _, f := range flags.Groups() {
		if g, ok := f.(flagset.Grouped); ok {
			key, title := g.Group()
			groups = append(groups, kong.Group{Key: key, Title: title})
		}
	}
	return groups
}

// runExamples is a command line each, indented.
func runExamples() string {
	var lines []string
	for _, s := range protocols {
		for _, example := range s.Examples {
			lines = append(lines, "    feedgate run "+example)
		}
	}
	return strings.Join(lines, "\n")
}

// explained is what groups of flags say of themselves, a paragraph each.
func explained(flags *flagset.Flags) string {
	var paragraphs []string
	for _, f := range flags.Groups() {
		if e, ok := f.(flagset.Explained); ok {
			paragraphs = append(paragraphs, e.Help())
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
