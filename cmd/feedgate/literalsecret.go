package main

import (
	"net/url"
	"regexp"
	"strings"

	"feedgate/worker/credential"
)

// literalSecret returns why the text of a setting must not be printed: it has, or looks as if it had, a
// secret that should be in a file. "": it does not. A reason continues "it" and quotes no value. isPath:
// the setting is the path of a file, with or without secrets. known are the secrets of files.
//
// It errs on the side of leaving out: printed output is pasted into tickets.
func literalSecret(key, text string, isPath bool, known *credential.Masks) string {
	if known.Hides(text) || known.Hides(unescaped(text)) {
		return "has the secret of --token-file or --sink-password-file"
	}
	if isPath {
		return ""
	}
	if strings.HasSuffix(key, "-header") {
		return secretHeader(key, text)
	}
	if why := secretURL(key, text); why != "" {
		return why
	}
	const instead = "; templates take {token}, of --token-file, and commands a variable"
	name := secretAfter(text)
	switch {
	case name != "":
		return "has what looks like a literal secret after " + name + instead
	case userOption.MatchString(text):
		return "has what looks like a literal secret after a user" + instead
	case random(text, 20) && !strings.HasPrefix(text, "file:"):
		return "has what looks like a generated secret" + instead
	}
	return ""
}

// secretAfter returns the name behind which a text has a literal value; "": there is none.
func secretAfter(text string) (name string) {
	for at := 0; ; {
		m := namedSecret.FindStringSubmatchIndex(text[at:])
		if m == nil {
			return ""
		}
		name, value, rest := text[at+m[2]:at+m[3]], text[at+m[4]:at+m[5]], text[at+m[5]:]
		isKey := strings.HasPrefix(rest, `":`) // in JSON, where {"op":"auth","token":"..."} is usual
		if literal(value) && !isKey {
			return name
		}
		at += m[4] // the value may be a name
	}
}

var (
	// secretName matches names of headers and parameters whose values are secret.
	secretName = regexp.MustCompile(`(?i)auth|cookie|token|secret|key|pass|pwd|cred|sign?(ature)?$|session|jwt|bearer`)

	// namedSecret matches a name of secrets and a value after it: 'password: "x"', 'AUTH x', '--token x',
	// 'API_KEY=x'.
	namedSecret = regexp.MustCompile(`((?:(?i)\b(?:authorization|auth|login|pass(?:word|wd|phrase|code)?|pwd|secret|token|bearer|basic|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|cookie|session[-_]?id))\b|\b[A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASS|PASSWORD|PWD|AUTH)\b)["']?(?:\s*[=:,]\s*|\s+)["']?([^"'\s,}]+)`)

	// userOption matches the option of a command with a user and a password, as curl's.
	userOption = regexp.MustCompile(`(?:^|\s)(?:-u|--user)[= ]*["']?[^\s:"'$]+:[^\s"'$]`)

	// urls matches URLs in a text, from :// on.
	urls = regexp.MustCompile(`://[^\s"']*`)

	// authScheme matches what may be before {token} in a header: "Bearer", "Basic".
	authScheme = regexp.MustCompile(`^[A-Za-z-]{0,16} ?$`)

	// word matches a word of letters and digits.
	word = regexp.MustCompile(`[A-Za-z0-9]+`)
)

// literal reports whether a value may be a secret: it is not a placeholder, a variable, an option, a path
// or an escape.
func literal(value string) bool {
	return !strings.ContainsAny(value[:1], `{$-/\<`) && !strings.HasPrefix(value, "./") && !strings.HasPrefix(value, "../")
}

// secretHeader is literalSecret for 'Name: value'.
func secretHeader(key, line string) string {
	useToken := "; write {token} and set --token-file"
	if strings.HasPrefix(key, "sink-") {
		useToken = "; write {token} and set --sink-password-file"
	}
	name, value, _ := strings.Cut(line, ":")
	before, after, hasToken := strings.Cut(strings.Trim(value, " \t"), "{token}")
	switch {
	case hasToken && authScheme.MatchString(before) && after == "":
		return ""
	case secretName.MatchString(name):
		return "has a literal secret in the header " + name + useToken
	case random(value, 6):
		return "has what looks like a literal secret in the header " + name + useToken
	}
	return ""
}

// secretURL is literalSecret for the URLs in a text.
func secretURL(key, text string) string {
	for _, rest := range urls.FindAllString(text, -1) {
		rest, query, _ := strings.Cut(rest[len("://"):], "?")
		hosts, _, _ := strings.Cut(rest, "/")
		if strings.Contains(hosts, "@") {
			return "has a user or a password in a URL"
		}
		if secretQuery(key, query) {
			return "has what looks like a literal secret in the query of a URL"
		}
	}
	return ""
}

// secretQuery reports whether the query of a URL has what looks like a secret.
func secretQuery(key, query string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		value = unescaped(value)
		// A selector of keys, or a name, of a sink's messages is no secret.
		named := secretName.MatchString(name) && (key == "url" || name != "key")
		if value != "" && (named && literal(value) || random(value, 12)) {
			return true
		}
	}
	return false
}

// unescaped returns a text with the percent escapes of a URL decoded, if it has any.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// random reports whether a text has a word of at least so many characters that mixes letters and digits,
// as generated secrets do.
func random(text string, least int) bool {
	for _, w := range word.FindAllString(text, -1) {
		if len(w) >= least && strings.ContainsAny(w, "0123456789") && strings.Trim(w, "0123456789") != "" {
			return true
		}
	}
	return false
}
