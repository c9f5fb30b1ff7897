package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/wire/faults"
)

// settings holds the values that the command line leaves open: those of the
// environment and, behind them, those of a configuration file. All of them are
// text, read by the same parsers as the command line's.
type settings struct {
	cli.Environment

	file map[string]setting // by flag name
	urls []string           // of the file's key url

	defaulted map[string]bool // by flag name: nothing has set it
	known     map[string]bool // variables that some command has a flag for
}

// setting is a value in the configuration file.
type setting struct {
	text string
	list []any  // of strings, where the file has a list; then there is no text
	at   string // FILE:LINE
}

func newSettings() *settings {
	return &settings{defaulted: make(map[string]bool)}
}

// urlVariable holds the URLs, separated by white space.
const urlVariable = cli.EnvPrefix + "URL"

// Resolve implements [kong.Resolver]. It is asked only for flags that are not on
// the command line. A variable that is set, even to nothing, counts.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" {
		return nil, nil
	}
	if value, ok := s.Lookup(flag); ok {
		return value, nil
	}
	if value, ok := s.file[flag.Name]; ok {
		s.SetOrigin(flag.Name, value.at)
		if value.list != nil {
			return value.list, nil
		}
		return value.text, nil
	}
	s.defaulted[flag.Name] = true
	return nil, nil
}

// given reports whether the command line, a variable or the file has set a flag.
func (s *settings) given(flag string) bool { return !s.defaulted[flag] }

// upstreams are the URLs where the command line has none.
func (s *settings) upstreams() []string {
	if text, ok := os.LookupEnv(urlVariable); ok {
		return strings.Fields(text)
	}
	return s.urls
}

// know registers the variables of all commands' flags.
func (s *settings) know(app *kong.Application) {
	s.known = map[string]bool{urlVariable: true}
	for _, command := range app.Leaves(false) {
		for _, flag := range command.Flags {
			s.known[cli.EnvName(flag.Name)] = true
		}
	}
	for _, flag := range benchFlags {
		s.known[cli.EnvName(flag)] = true
	}
}

// unknown are the variables with our prefix that no flag has.
func (s *settings) unknown() []string {
	var names []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, cli.EnvPrefix) && !s.known[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// printUnknown is warnUnknown for a command without a log.
func (s *settings) printUnknown(w io.Writer) {
	if names := s.unknown(); len(names) > 0 {
		fmt.Fprintf(w, "feedgate: %s: ignored, no flag has such a variable\n", strings.Join(names, " "))
	}
}

// warnUnknown logs those names; their values may be secrets.
func (s *settings) warnUnknown(log *slog.Logger) {
	if names := s.unknown(); len(names) > 0 {
		log.Warn("variables ignored: no flag has them", "variables", strings.Join(names, " "))
	}
}

// loadFor loads the file that the flag --config of ctx's command names, or the
// flag's variable. The file's keys are the names of that command's other flags,
// and url.
func (s *settings) loadFor(ctx *kong.Context) error {
	path := os.Getenv(cli.EnvName("config"))
	for _, element := range ctx.Path {
		if element.Flag != nil && element.Flag.Name == "config" {
			path = ctx.Value(element).String()
		}
	}
	if path == "" {
		return nil
	}
	known := make(map[string]bool)
	for _, flag := range ctx.Selected().Flags {
		known[flag.Name] = flag.IsSlice()
	}
	delete(known, "config")
	return s.load(path, known)
}

// load reads a file. known says of each flag, by its name, whether it takes many values.
// Its error has a line for each fault.
func (s *settings) load(path string, known map[string]bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	file, err := parser.ParseBytes(data, 0)
	var fault yaml.Error
	if errors.As(err, &fault) && fault.GetToken() != nil {
		return fmt.Errorf("--config: %s:%d: %s", path, fault.GetToken().Position.Line, fault.GetMessage())
	}
	if err != nil {
		return fmt.Errorf("--config: %s: %w", path, err)
	}
	if len(file.Docs) > 1 {
		return fmt.Errorf("--config: %s: more than one YAML document", path)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	body, ok := file.Docs[0].Body.(ast.MapNode)
	if !ok {
		return fmt.Errorf("--config: %s: not a mapping of flag names to values", path)
	}

	s.file = make(map[string]setting)
	var faults faults.List
	for entry := body.MapRange(); entry.Next(); {
		key := entry.Key().GetToken()
		at := fmt.Sprintf("%s:%d", path, key.Position.Line)
		faults.Add("--config: "+at, s.take(key.Value, at, entry.Value(), known))
	}
	return faults.Err()
}

// take takes over one key of the file.
func (s *settings) take(key, at string, value ast.Node, known map[string]bool) error {
	if key == "url" {
		urls, err := scalars(value)
		if err != nil {
			return fmt.Errorf("key url: %w", err)
		}
		s.urls = urls
		return nil
	}
	many, ok := known[key]
	if !ok {
		return fmt.Errorf("unknown key %q; keys are url and the names of the flags, without hyphens in front", key)
	}
	if _, list := value.(*ast.SequenceNode); list && many {
		texts, err := scalars(value)
		if err != nil {
			return fmt.Errorf("key %s: %w", key, err)
		}
		all := make([]any, len(texts))
		for i, text := range texts {
			all[i] = text
		}
		s.file[key] = setting{list: all, at: at}
		return nil
	}
	text, err := scalar(value)
	if err != nil {
		return fmt.Errorf("key %s: %w", key, err)
	}
	s.file[key] = setting{text: text, at: at}
	return nil
}

// scalars is a list of values, or one as a list.
func scalars(node ast.Node) ([]string, error) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		text, err := scalar(node)
		return []string{text}, err
	}
	var all []string
	for _, value := range list.Values {
		text, err := scalar(value)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// scalar is one value as it is written, so that YAML's view of types does not
// turn a name like 007 or no into something else.
func scalar(node ast.Node) (string, error) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, nil
	case *ast.LiteralNode:
		return node.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, nil
	case *ast.NullNode:
		return "", errors.New(`no value; write "" for an empty one`)
	default:
		return "", fmt.Errorf("%s where one plain value is wanted", strings.ToLower(node.Type().String()))
	}
}
