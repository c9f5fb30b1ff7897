package cli

import (
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// EnvPrefix begins the names of all our variables.
const EnvPrefix = "FEEDGATE_"

// EnvName is the environment variable of a flag.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Environment is a [kong.Resolver] of flags whose variables are set, even to nothing. Kong
// asks it only for flags that are not on the command line.
type Environment struct {
	origins map[string]string // by flag name, what has set it
}

// Resolve implements [kong.Resolver].
func (e *Environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, _ := e.Lookup(flag)
	return value, nil
}

// Validate implements [kong.Resolver].
func (e *Environment) Validate(*kong.Application) error { return nil }

// Lookup is the value of a flag's variable, if that is set: a text, or a list of texts for
// a repeatable flag whose variable has several lines.
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

// SetOrigin notes what has set a flag: a variable, or a file and line.
func (e *Environment) SetOrigin(flag, origin string) {
	if e.origins == nil {
		e.origins = make(map[string]string)
	}
	e.origins[flag] = origin
}

// Origin is what has set a flag. It is empty for the command line and for defaults.
func (e *Environment) Origin(flag string) string { return e.origins[flag] }

// nonEmptyLines are the values of a flag that may be repeated.
func nonEmptyLines(text string) (lines []any) {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
