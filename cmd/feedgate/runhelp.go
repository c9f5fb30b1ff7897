package main

import (
	"strings"

	"feedgate/worker/flagset"
	"feedgate/worker/sink"

	"github.com/alecthomas/kong"
)

// runGroups are the groups of run's flags, with their headings in the help. They are printed in
// the order of the flags in runCmd.
func runGroups() []kong.Group {
	groups := []kong.Group{
		{Key: "check", Title: "Check:"},
		{Key: "messages", Title: "Sink:"},
		{Key: "workers", Title: "Workers:"},
		{Key: "acks", Title: "Acknowledgements:"},
		{Key: "limits", Title: "Limits per URL (SIZE is bytes, or KiB, MiB, GiB):"},
		{Key: "connection", Title: "Connection (D is a duration such as 100ms, 5s, 1m30s):"},
		{Key: "tls", Title: "TLS (schemes " + strings.Join(protocols.SecureNames(), ", ") + " only):"},
		{Key: sink.ServerGroup, Title: sinks.ServerTitle()},
		{Key: "stop", Title: "Stopping and restarting:"},
		{Key: "process", Title: "Process:"},
		{Key: "log", Title: "Log:"},
	}
	groups = append(groups, headings(protocols.NewFlags())...)
	return append(groups, headings(sinks.NewFlags())...)
}

// headings returns the groups that flags of protocols or sinks declare.
func headings(flags *flagset.Flags) (groups []kong.Group) {
	for _, f := range flags.Groups() {
		if g, ok := f.(flagset.Grouped); ok {
			key, title := g.Group()
			groups = append(groups, kong.Group{Key: key, Title: title})
		}
	}
	return groups
}

// runExamples returns the example command lines of all protocols, indented.
func runExamples() string {
	var lines []string
	for _, s := range protocols {
		for _, example := range s.Examples {
			lines = append(lines, "    feedgate run "+example)
		}
	}
	return strings.Join(lines, "\n")
}

// explained returns the help texts of groups of flags, a paragraph each.
func explained(flags *flagset.Flags) string {
	var paragraphs []string
	for _, f := range flags.Groups() {
		if e, ok := f.(flagset.Explained); ok {
			paragraphs = append(paragraphs, e.Help())
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
