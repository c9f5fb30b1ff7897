package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml/ast"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway/wire/faults"
	"feedgate/worker/durable"
)

// settings looks up flags that are not on the command line: first in the environment, then in the
// configuration file. Values are texts, parsed like those of the command line.
type settings struct {
	cli.Environment

	file map[string]setting // of the configuration file, by flag name
	urls []fileURL          // of its key url

	faults   []error // of the configuration file, and of values of flags
	unloaded bool    // the configuration file could not be read as a whole, so settings are missing

	defaulted map[string]bool // flags that have their default
	known     map[string]bool // environment variables of all commands' flags
}

// setting is a value in the configuration file.
type setting struct {
	text string
	list []any    // strings; nil: the value is text
	at   string   // FILE:LINE
	each []string // the same of each in list
}

// fileURL is a URL in the configuration file.
type fileURL struct {
	text string
	at   string // FILE:LINE
}

func newSettings() *settings {
	return &settings{defaulted: make(map[string]bool)}
}

// urlVariable is the environment variable of the URLs, separated by white space.
const urlVariable = cli.EnvPrefix + "URL"

// Resolve implements [kong.Resolver]. kong calls it only for flags that are not on the command line.
// An empty environment variable counts as set.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" || onCommandLineOnly(flag) {
		return nil, nil
	}
	if value, ok := s.Lookup(flag); ok {
		if err := valueFault(flag.Name, value); err != nil {
			s.faults = append(s.faults, err)
		}
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

// given reports whether the command line, the environment or the file sets a flag.
func (s *settings) given(flag string) bool { return !s.defaulted[flag] }

// elementOrigin is Origin of the i-th value of a repeatable flag.
func (s *settings) elementOrigin(flag string, i int) string {
	origin := s.Origin(flag)
	if of := s.file[flag]; origin == of.at && i < len(of.each) {
		return of.each[i]
	}
	return origin
}

// onCommandLineOnly reports whether a flag is set on the command line only: it tells a command what to do,
// and is no setting.
func onCommandLineOnly(flag *kong.Flag) bool { return flag.Tag.Has("cmdline") }

// upstreams are the URLs for a command line without any, and where each comes from.
func (s *settings) upstreams() (urls, origins []string) {
	if text, ok := os.LookupEnv(urlVariable); ok {
		urls = strings.Fields(text)
		return urls, slices.Repeat([]string{urlVariable}, len(urls))
	}
	for _, u := range s.urls {
		urls, origins = append(urls, u.text), append(origins, u.at)
	}
	return urls, origins
}

// setKnown sets the known environment variables: those of all commands' flags.
func (s *settings) setKnown(app *kong.Application) {
	s.known = map[string]bool{urlVariable: true}
	for _, command := range app.Leaves(false) {
		for _, flag := range command.Flags {
			if !onCommandLineOnly(flag) {
				s.known[cli.EnvName(flag.Name)] = true
			}
		}
	}
	for _, flag := range benchFlags {
		s.known[cli.EnvName(flag)] = true
	}
}

// unknown are the environment variables that have our prefix but set no flag.
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

// printUnknown warns of unknown environment variables where there is no log.
func (s *settings) printUnknown(w io.Writer) {
	if names := s.unknown(); len(names) > 0 {
		fmt.Fprintf(w, "feedgate: %s: ignored: no flag of this name\n", strings.Join(names, " "))
	}
}

// warnUnknown logs the names of unknown environment variables, not their values, which may be secrets.
func (s *settings) warnUnknown(log *slog.Logger) {
	if names := s.unknown(); len(names) > 0 {
		log.Warn("environment variables ignored: no flags of these names", "variables", strings.Join(names, " "))
	}
}

// loadFor loads the configuration file, if --config or its environment variable names one. Its keys
// are url and the names of the other flags of ctx's command. Faults are added to s.faults.
func (s *settings) loadFor(ctx *kong.Context) {
	path := os.Getenv(cli.EnvName("config"))
	for _, element := range ctx.Path {
		if element.Flag != nil && element.Flag.Name == "config" {
			path = ctx.Value(element).String()
		}
	}
	if path == "" {
		return
	}
	known := make(map[string]bool)
	for _, flag := range ctx.Selected().Flags {
		if !onCommandLineOnly(flag) {
			known[flag.Name] = flag.IsSlice()
		}
	}
	delete(known, "config")
	if err := s.load(path, known); err != nil {
		s.faults = append(s.faults, err)
		s.unloaded = s.file == nil
	}
}

// maxConfig limits a configuration file, in bytes.
const maxConfig = 1 << 20

// load reads a file. Its keys must be in known, which is true for repeatable flags. The error has a
// line for each fault.
func (s *settings) load(path string, known map[string]bool) error {
	data, err := durable.ReadFile(path, maxConfig, nil)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if !utf8.Valid(data) {
		return fmt.Errorf("--config: %s:%d: not UTF-8", path, 1+bytes.Count(data[:invalid(data)], []byte("\n")))
	}
	file, unquoted := parseYAML(path, data)
	if file == nil {
		return errors.Join(unquoted...)
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
	faults.AddErr(errors.Join(unquoted...))
	for entry := body.MapRange(); entry.Next(); {
		key := entry.Key().GetToken()
		at := fmt.Sprintf("%s:%d", path, key.Position.Line)
		faults.Add("--config: "+at, s.set(key.Value, at, entry.Value(), known))
	}
	return faults.Err()
}

// set sets one key of the file.
func (s *settings) set(key, at string, value ast.Node, known map[string]bool) error {
	if key == "url" {
		urls, err := scalars(value)
		if err != nil {
			return fmt.Errorf("key url: %w", err)
		}
		s.urls = nil
		for i, text := range urls {
			s.urls = append(s.urls, fileURL{text, atElement(at, value, i)})
		}
		return nil
	}
	repeatable, ok := known[key]
	if !ok {
		return fmt.Errorf("unknown key %q; keys are url and the names of flags without the leading --", key)
	}
	if _, list := value.(*ast.SequenceNode); list && repeatable {
		texts, err := scalars(value)
		if err != nil {
			return fmt.Errorf("key %s: %w", key, err)
		}
		of := setting{list: []any{}, at: at}
		for i, text := range texts {
			of.list, of.each = append(of.list, text), append(of.each, atElement(at, value, i))
		}
		s.file[key] = of
		return nil
	}
	text, err := scalar(value)
	if err != nil {
		return fmt.Errorf("key %s: %w", key, err)
	}
	s.file[key] = setting{text: text, at: at}
	return nil
}

// atElement returns the place of the i-th element of a list, which begins at FILE:LINE.
func atElement(at string, node ast.Node, i int) string {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return at
	}
	path := at[:strings.LastIndexByte(at, ':')]
	return fmt.Sprintf("%s:%d", path, list.Values[i].GetToken().Position.Line)
}

// scalars returns the values of a list, or a single value as a list.
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

// scalar returns a value as it is written. YAML's types would turn a name such as 007 or no into a
// number or a boolean.
func scalar(node ast.Node) (string, error) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, nil
	case *ast.LiteralNode:
		return node.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, nil
	case *ast.NullNode:
		return "", errors.New(`no value; write "" for an empty text`)
	case *ast.MappingNode, *ast.MappingValueNode:
		return "", errors.New("mapping instead of a single value; put a text with a colon in quotes")
	default:
		return "", fmt.Errorf("%s instead of a single value", strings.ToLower(node.Type().String()))
	}
}
