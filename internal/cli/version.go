package cli

import "runtime/debug"

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
