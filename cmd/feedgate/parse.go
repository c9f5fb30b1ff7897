package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"feedgate/cmd/feedgate/cli"
)

// parseArgs parses args into line. It adds all faults to s.faults: those of values, which
// [collectFaults] does not let end the parsing, and for check also arguments that kong does not
// understand, without which it parses again.
func parseArgs(parser *kong.Kong, args []string, s *settings, line *commandLine) {
	unparsed := argumentFaults(args)
	for {
		s.faults = nil
		var err error
		line.context, err = parser.Parse(args)
		if line.helped {
			return
		}
		var fault *kong.ParseError
		if errors.As(err, &fault) {
			line.context = fault.Context
		}
		if err == nil {
			break
		}
		lines := cli.ErrorLines(err, func(string) string { return "" })
		unparsed = append(unparsed, errors.New(strings.Join(lines, "\n")))
		rest, ok := withoutFault(args, err)
		if !ok || !checks(line.context) {
			s.unloaded = true
			break
		}
		args = rest
	}
	s.faults = append(unparsed, s.faults...)
}

// usageOf returns the usage error of all faults; nil: there are none.
func usageOf(faults []error) error {
	if err := errors.Join(faults...); err != nil {
		return cli.Usage(err)
	}
	return nil
}

// checks reports whether the command is check.
func checks(ctx *kong.Context) bool {
	if ctx == nil || ctx.Selected() == nil {
		return false
	}
	_, ok := ctx.Selected().Target.Addr().Interface().(*checkCmd)
	return ok
}

// withoutFault returns args without the one that err, an error of kong, is about. A word behind an
// unknown flag is its value, unless it looks like a URL. ok is false if the argument cannot be told.
func withoutFault(args []string, err error) (rest []string, ok bool) {
	if name, found := strings.CutPrefix(err.Error(), "unknown flag "); found {
		name, _, _ = strings.Cut(name, ",") // a suggestion may follow
		for i, arg := range args {
			switch {
			case strings.HasPrefix(arg, name+"="):
				return slices.Delete(slices.Clone(args), i, i+1), true
			case arg == name && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") && !strings.Contains(args[i+1], "://"):
				return slices.Delete(slices.Clone(args), i, i+2), true
			case arg == name:
				return slices.Delete(slices.Clone(args), i, i+1), true
			}
		}
	}
	if text, found := strings.CutPrefix(err.Error(), "unexpected argument "); found {
		for i, arg := range slices.Backward(args) {
			if text == arg || strings.HasPrefix(text, arg+", ") {
				return slices.Delete(slices.Clone(args), i, i+1), true
			}
		}
	}
	return nil, false
}

// collectFaults makes the flags of all commands add faults of their values to s.faults, so that the
// parsing continues behind them. A flag with a fault has its default.
func collectFaults(app *kong.Application, s *settings) {
	for _, command := range app.Leaves(false) {
		for _, flag := range command.Flags {
			if _, wrapped := flag.Mapper.(interface{ collects() }); wrapped {
				continue
			}
			if c := (collector{flag.Mapper, s}); flag.IsBool() {
				flag.Mapper = boolCollector{c}
			} else {
				flag.Mapper = c
			}
		}
	}
}

// collector is a mapper that collects the errors of another.
type collector struct {
	kong.Mapper
	settings *settings
}

func (collector) collects() {}

// boolCollector is a collector for flags that need no value.
type boolCollector struct{ collector }

// IsBool implements [kong.BoolMapper].
func (boolCollector) IsBool() bool { return true }

// Decode implements [kong.Mapper].
func (c collector) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	next := ctx.Scan.Peek()
	err := c.Mapper.Decode(ctx, target)
	if err == nil {
		err = checkEnum(ctx.Value, target)
	} else {
		err = fmt.Errorf("%s: %w", ctx.Value.ShortSummary(), ownWords(err, target.Kind(), next))
	}
	if err == nil {
		return nil
	}
	switch next.InferredType() {
	case kong.EOLToken:
		err = fmt.Errorf("%s: the value is missing", ctx.Value.ShortSummary())
	case kong.FlagToken: // it was taken for the value
		err = fmt.Errorf("%s: the value is missing", ctx.Value.ShortSummary())
		ctx.Scan.PushToken(next)
	case kong.ShortFlagToken:
		err = fmt.Errorf("%[1]s: the value is missing; one that begins with a hyphen follows an equals sign, as in %[1]s=%[2]s",
			ctx.Value.ShortSummary(), next)
	}
	c.settings.faults = append(c.settings.faults, err)
	target.SetZero()
	if ctx.Value.HasDefault {
		return c.Mapper.Decode(ctx.WithScanner(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: ctx.Value.Default})), target)
	}
	return nil
}

// ownWords replaces what kong says of a value that is no number or boolean.
func ownWords(err error, kind reflect.Kind, value kong.Token) error {
	if text := err.Error(); !strings.HasPrefix(text, "expected a ") && !strings.HasPrefix(text, "bool value must be ") {
		return err
	}
	what := "a whole number"
	switch kind {
	case reflect.Bool:
		what = "true or false"
	case reflect.Float32, reflect.Float64:
		what = "a number"
	case reflect.Uint, reflect.Uint64:
		what = "a whole number from 0 on"
	}
	return fmt.Errorf("%q is not %s", fmt.Sprint(value.Value), what)
}

// checkEnum checks a value of a flag with a list of values, as kong does once all flags are parsed.
func checkEnum(flag *kong.Value, target reflect.Value) error {
	if flag.Enum == "" || slices.Contains(flag.EnumSlice(), target.String()) {
		return nil
	}
	var names []string
	for _, name := range flag.EnumSlice() {
		names = append(names, fmt.Sprintf("%q", name))
	}
	return fmt.Errorf("%s must be one of %s but got %q", flag.ShortSummary(), strings.Join(names, ","), target.String())
}
