package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
)

// WriteVersion writes the output of a program's command version.
func WriteVersion(w io.Writer, program, version, revision string) error {
	name, commit := Version(version, revision)
	_, err := fmt.Fprintf(w, "%s %s\ngo %s %s/%s\ncommit %s\n",
		program, name, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
	return err
}

// WithVersion replaces --version as the only argument by the command version. A flag would also have
// an environment variable.
func WithVersion(args []string) []string {
	if slices.Equal(args, []string{"--version"}) {
		return []string{"version"}
	}
	return args
}

// Version returns the version and commit of the binary. version and revision are those that the linker
// has set, or empty. The module's version replaces an empty version; the commit in the build
// information, if it has one, replaces revision.
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
