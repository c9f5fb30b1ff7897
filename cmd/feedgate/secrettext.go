package main

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	// escape matches an escape of a template, and of a JSON string in it.
	escape = regexp.MustCompile(`\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[nrt0\\])`)

	// loginWord matches a word that a login has.
	loginWord = regexp.MustCompile(`(?i)(?:\b|_)(?:auth\w*|log-?[io]n|pass(?:word|wd|phrase|code)?|pwd?|psk|sig|(?:api)?key|secret|token|bearer|credentials?)(?:\b|_)`)

	// subprotocolSecret matches a subprotocol of WebSocket that carries a secret: "bearer.x", "token-x".
	subprotocolSecret = regexp.MustCompile(`(?i)(?:bearer|token|auth\w*|jwt|key|secret)[.\-_:=]\w`)

	// longOption matches an option of a command and its value; shortOption those of one letter that often
	// have a secret: -a, -b, -p.
	longOption  = regexp.MustCompile(`(?:^|\s)--([A-Za-z][A-Za-z0-9-]*)(?:=|\s+)["']?([^"'\s]+)`)
	shortOption = regexp.MustCompile(`(?:^|\s)-([abp])(\s*)["']?([^\s"']+)`)

	// headerOption matches an option of a command with a header, as curl's.
	headerOption = regexp.MustCompile(`(?:^|\s)(?:-H|--header)[= ]*(?:"([^"]*)"|'([^']*)'|(\S+))`)
)

// decoded returns the text of a template as it is sent, as far as secrets are concerned: without escapes, and
// with spaces for control characters.
func decoded(text string) string {
	text = escape.ReplaceAllStringFunc(text, func(match string) string {
		if plain, err := strconv.Unquote(`"` + strings.Replace(match, `\0`, `\x00`, 1) + `"`); err == nil {
			return plain
		}
		return match
	})
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ReplaceAll(text, "{{", "{"))
}

// secretCommand returns the option of a command behind which a literal secret seems to be; "": there is none.
// Options of programs differ, so it errs on the side of a secret.
func secretCommand(command string) (option string) {
	for _, m := range longOption.FindAllStringSubmatch(command, -1) {
		if (secretName.MatchString(m[1]) || m[1] == "pw") && literal(m[2]) && !strings.HasSuffix(m[1], "-file") {
			return "--" + m[1]
		}
	}
	for _, m := range shortOption.FindAllStringSubmatch(command, -1) {
		value := m[3]
		apart := m[2] != "" || random(value, 1) || strings.ToLower(value) != value || len(value) > 7 // not -print
		if apart && literal(value) && !strings.ContainsAny(value, "/.") && strings.Trim(value, "0123456789") != "" {
			return "-" + m[1]
		}
	}
	for _, m := range headerOption.FindAllStringSubmatch(command, -1) {
		line := m[1] + m[2] + m[3]
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		own := strings.HasPrefix(strings.ToLower(name), "x-") && value != "" && literal(value)
		if own || secretHeader("sink", line) != "" && literal(value+" ") {
			return "-H"
		}
	}
	return ""
}
