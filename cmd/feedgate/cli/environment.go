package cli

import (
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// EnvPrefix is the prefix of all environment variables of feedgate.
const EnvPrefix = "FEEDGATE_"

// EnvName is the name of a flag's environment variable.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Environment is a [kong.Resolver] that sets flags from environment variables, which may be empty.
// kong calls it only for flags that are not on the command line.
type Environment struct {
	origins map[string]string // by flag name
}

// Resolve implements [kong.Resolver].
func (e *Environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, _ := e.Lookup(flag)
	return value, nil
}

// Validate implements [kong.Resolver].
func (e *Environment) Validate(*kong.Application) error { return nil }

// Lookup returns the value of a flag's environment variable, if that is set: a string, or for a
// repeatable flag whose variable has several lines, a list of strings.
func (e *Environment) Lookup(flag *kong.Flag) (value any, set bool) {
	text, set := os.LookupEnv(EnvName(flag.Name))
	if !set || flag.Name == "help" {
		return nil, false
	}
	e.SetOrigin(flag.Name, EnvName(flag.Name))
	if lines := nonEmptyLines(text); flag.IsSlice() && len(lines) > 1 {
		return lines, true
	}
	return text, true
}

// SetOrigin records where the value of a flag comes from: a variable, or a file and line.
func (e *Environment) SetOrigin(flag, origin string) {
	if e.origins == nil {
		e.origins = make(map[string]string)
	}
	e.origins[flag] = origin
}

// Origin is where the value of a flag comes from; "" for the command line and for defaults.
func (e *Environment) Origin(flag string) string { return e.origins[flag] }

// nonEmptyLines splits the value of a repeatable flag.
func nonEmptyLines(text string) (lines []any) {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
