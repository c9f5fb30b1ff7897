package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
)

// WriteVersion writes what a program's command version prints.
func WriteVersion(w io.Writer, program, version, revision string) error {
	name, commit := Version(version, revision)
	_, err := fmt.Fprintf(w, "%s %s\ngo %s %s/%s\ncommit %s\n",
		program, name, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
	return err
}

// WithVersion is args in which --version alone is the command version. It is no flag, which
// would have a variable.
func WithVersion(args []string) []string {
	if slices.Equal(args, []string{"--version"}) {
		return []string{"version"}
	}
	return args
}

// Version is the version and the commit that the binary was built from: those that the
// linker has set, or what the build recorded.
func Version(version, revision string) (name, commit string) {
	name, commit = version, revision
	if commit == "" {
		commit = "unknown"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name, commit
	}
	if name == "" {
		name = info.Main.Version
	}
	modified := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.modified":
			modified = setting.Value == "true"
		}
	}
	if modified {
		commit += " (modified)"
	}
	return name, commit
}
