package main

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"feedgate/cmd/feedgate/cli"
	"feedgate/gateway"
	"feedgate/worker/credential"
)

// settingsYAML is the output of --print. Each setting is on lines of its own, with its origin as a
// comment, so that a setting that must not be printed can be a comment as a whole.
//
// A default that does not depend on the protocol or the machine is a key like any other setting. Where
// being given would mean something else, it is a comment.
type settingsYAML struct {
	text       bytes.Buffer
	masks      *credential.Masks // the secrets of files
	incomplete bool              // a setting was left out
}

// print prints all settings as YAML. It returns true if one was left out.
func (c *checkCmd) print(flags []*kong.Flag, g *globals, planned []gateway.Config, masks *credential.Masks) (incomplete bool, err error) {
	y := &settingsYAML{masks: masks}
	y.list("url", c.URL, func(i int) string {
		if i < len(c.urlOrigins) {
			return originText(c.urlOrigins[i])
		}
		return "command line"
	})
	for _, flag := range flags {
		if flag.Name == "help" || flag.Name == "config" || onCommandLineOnly(flag) {
			continue
		}
		if g.settings.given(flag.Name) {
			y.given(flag, func(i int) string { return originText(g.settings.elementOrigin(flag.Name, i)) })
		} else {
			y.defaulted(flag, planned)
		}
	}
	_, err = g.stdout.Write(y.text.Bytes())
	return y.incomplete, err
}

// originText describes where a setting comes from, for a comment.
func originText(origin string) string {
	switch {
	case origin == "":
		return "flag"
	case strings.HasPrefix(origin, cli.EnvPrefix):
		return "environment variable " + origin
	}
	return strings.Trim(strconv.Quote(origin), `"`) // a path may have a line break
}

// given adds a setting that the user has set. elementOrigin is the origin of its i-th value; 0 is that of a single
// one.
func (y *settingsYAML) given(flag *kong.Flag, elementOrigin func(i int) string) {
	origin := elementOrigin(0)
	switch v := flag.Target.Interface().(type) {
	case []string:
		if len(v) > 0 {
			y.list(flag.Name, v, elementOrigin)
		} else {
			y.comment(flag.Name+": []", origin)
		}
	case encoding.TextMarshaler:
		y.line(flag.Name+": "+plainText(v), origin)
	default:
		if flag.Target.Kind() == reflect.String {
			y.string(flag, origin)
			return
		}
		y.line(fmt.Sprintf("%s: %v", flag.Name, v), origin)
	}
}

// defaulted adds a setting that has its default.
func (y *settingsYAML) defaulted(flag *kong.Flag, planned []gateway.Config) {
	const origin = "default"
	switch {
	case flag.Name == "admin": // if it is given, it must be free
		y.comment(fmt.Sprintf("%s: %q", flag.Name, flag.Default), "default; another port if it is in use")
	case flag.HasDefault || flag.IsBool():
		y.given(flag, func(int) string { return origin })
	default:
		if text := effective(flag.Name, planned); text != "" {
			y.comment(flag.Name+": "+text, origin)
		} else {
			y.comment(flag.Name+":", "default: not set")
		}
	}
}

// effective returns the default of a flag that depends on the protocol or the machine; "": there is none,
// or not the same one for all upstreams.
func effective(flag string, planned []gateway.Config) string {
	text := ""
	for i := range planned {
		p, this := &planned[i], ""
		switch flag {
		case "workers":
			this = strconv.Itoa(p.Workers)
		case "ring":
			this = strconv.Itoa(p.Ring)
		case "in-flight":
			this = strconv.Itoa(p.InFlight)
		case "memory":
			this = plainText(cli.Size(p.Memory))
		case "idle-timeout":
			this = plainText(offTimeout(p.IdleTimeout))
		case "ack":
			this = p.Ack
		case "client-name":
			this = strconv.Quote(p.ClientName)
		}
		if i > 0 && this != text {
			return ""
		}
		text = this
	}
	return text
}

// plainText is the text of a size or a duration, which needs no quotes.
func plainText(v encoding.TextMarshaler) string {
	text, err := v.MarshalText()
	if err != nil {
		panic(err) // numbers always have a text
	}
	return string(text)
}

// string adds a setting that is a text, or a comment if that must not be printed.
func (y *settingsYAML) string(flag *kong.Flag, origin string) {
	value := flag.Target.String()
	if why := literalSecret(flag.Name, value, flag.PlaceHolder == "FILE", y.masks); why != "" {
		y.leaveOut(flag.Name, why, origin)
		return
	}
	y.line(flag.Name+": "+quoted(value), origin)
}

// list adds a key with a list of texts, of which those that must not be printed are comments.
func (y *settingsYAML) list(key string, values []string, origin func(i int) string) {
	var items []int
	for i, value := range values {
		if why := literalSecret(key, value, false, y.masks); why != "" {
			if key == "url" {
				why += ": " + y.masks.Text(withoutPath(gateway.Label(value)))
			}
			y.leaveOut(key, why, origin(i))
		} else {
			items = append(items, i)
		}
	}
	if len(items) > 0 {
		y.text.WriteString(key + ":\n")
	}
	for _, i := range items {
		y.line("  - "+quoted(values[i]), origin(i))
	}
}

func (y *settingsYAML) leaveOut(key, why, origin string) {
	y.incomplete = true
	y.comment(key+": left out: it "+strings.Trim(strconv.Quote(why), `"`), origin)
}

// withoutPath returns a URL up to its path, which may be secret.
func withoutPath(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if hosts, _, found := strings.Cut(rest, "/"); ok && found {
		return scheme + "://" + hosts + "/..."
	}
	return url
}

func (y *settingsYAML) comment(text, origin string) { y.line("# "+text, origin) }

func (y *settingsYAML) line(text, origin string) { fmt.Fprintf(&y.text, "%s # %s\n", text, origin) }

// quoted returns a text as a YAML scalar in double quotes, on one line. It is UTF-8, as the texts of all
// flags are.
func quoted(s string) string {
	b, err := yaml.MarshalWithOptions(s, yaml.JSON())
	if err != nil {
		panic(err) // every UTF-8 text can be encoded
	}
	return lineBreaks.Replace(strings.TrimSuffix(string(b), "\n"))
}

// lineBreaks escapes the characters that YAML 1.1, unlike YAML 1.2, takes for line breaks.
var lineBreaks = strings.NewReplacer("\u0085", `\u0085`, "\u2028", `\u2028`, "\u2029", `\u2029`)
