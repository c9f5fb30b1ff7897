package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
)

// withoutOrigins returns lines of --print without their comments at the end, which begin with # and are no
// part of a text in quotes.
func withoutOrigins(lines []string) (all []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "# ") {
			continue // a default that depends on the machine
		}
		before, _, ok := cutLast(line, " # ")
		if ok {
			line = before
		}
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// TestCheckPrintsSettings: settings of all types, from everywhere, each secret among them, are loaded again
// as they were, with the place of each; no secret is printed.
func TestCheckPrintsSettings(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	token := tokenFile(t, "t0psecret-token", 0o600)
	keyText, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	config := configFile(t, "url: ['wss://a:1/x?y=1', \"wss://b/ü\"]\n"+
		"ws-header:\n  - 'Authorization: Bearer {token}'\n  - 'Accept-Language: de, en;q=0.5'\n"+
		"hello: \"two\\nlines \\\"quoted\\\" \\\\\\\\ # no comment\"\n"+
		"heartbeat-template: |\n  ping\n  {{}\n"+
		"ignore-prefix: '''pong'''\n"+
		"client-name: 007\n")
	env := []string{"FEEDGATE_MEMORY=33554432", "FEEDGATE_IDLE_TIMEOUT=0", "FEEDGATE_TOKEN_FILE=" + token, "FEEDGATE_EXIT_ON_CLOSE=true"}
	args := []string{"--config=" + config, "--sink=file:/tmp/a b?frame=json", `--ack-template=A{n:u64be}{code:u16be}\n\x00{{ "x"`,
		"--tls-ca=" + ca.File, "--tls-cert=" + cert, "--tls-key=" + key, "--tls-server-name=feed.test", "--heartbeat=1m30s",
		"--max-message=2KiB", "--retries=3", "--dispatch=key", `--key=json:/a~1b/c`, "--output={data}\t#", "--admin=",
		"--in-flight=1000", "--ack=ordered", "--workers=3", "--log-format=json", "--maxprocs=2", "--id=field:2:,",
		"--state=/tmp/s: t", "--dead-letter=file:/tmp/dead"}
	first := checked(t, 0, env, append(args, "--print")...)
	whole := strings.Join(first, "")
	for _, want := range []string{
		"url:\n  - \"wss://a:1/x?y=1\" # " + config + ":1\n", "  - \"wss://b/ü\" # " + config + ":1\n",
		"memory: 32MiB # environment variable FEEDGATE_MEMORY\n", "idle-timeout: 0s # environment variable FEEDGATE_IDLE_TIMEOUT\n",
		"token-file: \"" + token + "\" # environment variable FEEDGATE_TOKEN_FILE\n", "tls-key: \"" + key + "\" # flag\n",
		"  - \"Authorization: Bearer {token}\" # " + config + ":3\n", "  - \"Accept-Language: de, en;q=0.5\" # ",
		`hello: "two\nlines \"quoted\" \\\\ # no comment" # `, `heartbeat-template: "ping\n{{}\n" # `, "client-name: \"007\" # ",
		"heartbeat: 1m30s # flag\n", "max-message: 2KiB # flag\n", "exit-on-close: true # environment variable FEEDGATE_EXIT_ON_CLOSE\n",
		"admin: \"\" # flag\n", "flush-max: 32 # default\n", "# ring: 8192 # default\n", "# frame: # default: not set\n",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("no %q in\n%s", want, whole)
		}
	}
	for _, secret := range []string{"t0psecret", strings.Split(string(keyText), "\n")[1]} {
		if strings.Contains(whole, secret) {
			t.Errorf("the output has %q", secret)
		}
	}
	again := configFile(t, whole)
	second := checked(t, 0, nil, "--config="+again, "--print")
	if a, b := withoutOrigins(first), withoutOrigins(second); !slices.Equal(a, b) {
		t.Errorf("first\n%s\nthen\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	// What would run is the same.
	if a, b := checked(t, 0, env, args...), checked(t, 0, nil, "--config="+again); !slices.Equal(a, b) {
		t.Errorf("first\n%sthen\n%s", strings.Join(a, ""), strings.Join(b, ""))
	}
}

// TestCheckPrintsNoLiteralSecret: a setting with one is a comment, and the exit status is 1.
func TestCheckPrintsNoLiteralSecret(t *testing.T) {
	t.Parallel()
	token := tokenFile(t, "s3cret-of-a-file", 0o600)
	for name, args := range map[string][]string{
		"bearer":              {"ws://a", "--ws-header=Authorization: Bearer s3cret"},
		"basic":               {"ws://a", "--ws-header=Proxy-Authorization: Basic czNjcmV0OnMzY3JldA=="},
		"own header":          {"ws://a", "--ws-header=X-Api-Key: s3cret"},
		"cookie":              {"ws://a", "--ws-header=Cookie: a=s3cret; b={token}", "--token-file=" + token},
		"any header":          {"ws://a", "--ws-header=X-Feed: s3cret"},
		"beside the token":    {"ws://a", "--ws-header=X-Feed: {token}:s3cret", "--token-file=" + token},
		"query":               {"ws://a/x?key=s3cret"},
		"short name":          {"ws://a/x?k=s3cret"},
		"signature":           {"ws://a/x?v=1&X-Signature=s3cret"},
		"random value":        {"ws://a/x?v=s3crets3crets3cret"},
		"value of the file":   {"ws://a/x?v=s3cret-of-a-file", "--token-file=" + token},
		"escaped":             {"ws://a/x?v=%73%33cret-of-a-file", "--token-file=" + token},
		"JSON in a hello":     {"ws://a", `--hello={{"op":"login","password":"s3cret"}`},
		"words in a hello":    {"ws://a", `--hello=LOGIN me s3cret\n`},
		"token in a hello":    {"ws://a", `--hello=AUTH s3cret`},
		"a list in a hello":   {"ws://a", `--hello=["auth","s3cret"]`},
		"after a name":        {"ws://a", `--hello={{"op":"auth","token":"s3cret"}`},
		"variable of command": {"fg://a:1", "--sink=exec:API_KEY=s3cret ./handle"},
		"option of command":   {"fg://a:1", "--sink=exec:./handle --token s3cret"},
		"user of command":     {"fg://a:1", "--sink=exec:./post -u me:s3cret"},
		"URL of command":      {"fg://a:1", "--sink=exec:./post http://a/ http://me:s3cret@b/"},
		"generated":           {"ws://a", `--hello={{"args":["czNjcmV0czNjcmV0czNjcmV0"]}`},
		"header of command":   {"fg://a:1", "--sink=exec:./post -H 'Authorization: Bearer s3cret'"},
		"after an escape":     {"ws://a", `--hello=Action: Login\r\nSecret: s3cret\r\n`},
		"escaped name":        {"ws://a", `--hello=pa\x73s s3cret`},
		"control characters":  {"ws://a", `--hello=\x02PASSWORD\x1ds3cret`},
		"escape of JSON":      {"ws://a", `--hello={{"to\x6ben":"s3cret"}`},
		"login as a whole":    {"ws://a", `--hello={{"op":"auth","args":["s3cret"]}`},
		"short key":           {"ws://a", `--heartbeat-template={{"pw":"s3cret"}`},
		"subprotocol":         {"ws://a", "--ws-subprotocol=bearer.s3cret"},
		"short option":        {"fg://a:1", "--sink=exec:redis-cli -a s3cret"},
		"attached to option":  {"fg://a:1", "--sink=exec:mysql -ps3cret"},
		"user without a name": {"fg://a:1", "--sink=exec:curl --user s3cret: http://a/"},
		"any header of curl":  {"fg://a:1", "--sink=exec:curl -H 'X-Foo: s3cret'"},
		"path":                {"ws://a/s3crets3crets3crets3cret/"},
		"heartbeat":           {"ws://a", `--heartbeat-template={{"token": "s3cret"}`},
		"one of two":          {"ws://a", "--ws-header=Accept: text/plain", "--ws-header=X-Token: s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(strings.Join(args, " "), "--sink=") {
				args = append(args, "--sink=discard:")
			}
			lines := checked(t, 1, nil, append(args, "--print")...)
			whole := strings.Join(lines, "")
			if name == "path" { // as in the log
				whole, _, _ = strings.Cut(whole, "# would run")
			}
			if strings.Contains(whole, "s3cret") || strings.Contains(whole, "czNj") {
				t.Errorf("the output has the secret:\n%s", whole)
			}
			if n := strings.Count(whole, ": left out: it has "); n != 1 {
				t.Errorf("%d comments about it in\n%s", n, whole)
			}
			if name == "one of two" && !strings.Contains(whole, "ws-header:\n  - \"Accept: text/plain\" # flag\n") {
				t.Errorf("no other header in\n%s", whole)
			}
			// It is YAML all the same.
			for _, line := range checkedAny(t, "--config="+configFile(t, whole), "--sink=discard:", "fg://a:1") {
				if strings.HasPrefix(line, "--config") {
					t.Error(line)
				}
			}
		})
	}
}

// checkedAny are the lines that check prints, with any exit status.
func checkedAny(t *testing.T, args ...string) []string {
	t.Helper()
	return slices.Collect(strings.Lines(command(t, nil, append([]string{"check"}, args...)...).stdout))
}

// TestCheckPrintsWhatIsNoSecret: settings that only look a little like secrets.
func TestCheckPrintsWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token := filepath.Join(dir, "auth token")
	if err := os.WriteFile(token, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"token in a hello":     {"ws://a", `--hello={{"op":"auth","key":"{token}"}\n`, "--token-file=" + token},
		"login in a hello":     {"ws://a", `--hello=LOGIN {token}\r\n`, "--token-file=" + token},
		"key of messages":      {"fg://a:1", "--dispatch=key", "--key=json:token"},
		"files of a command":   {"fg://a:1", "--sink=exec:./handle --token-file /run/secret --auth=$AUTH"},
		"symbols in the query": {"ws://a/x?symbols=BTC2025,ETH"},
		"hexadecimal bytes":    {"tcp://a:1", "--frame=delim:0d0a0d0a0d0a0d0a", `--ack-template=\x00\x00\x00\x00\x00\x0a{n:u64be}`},
		"name of a file":       {"fg://a:1", "--sink=file:" + filepath.Join(dir, "1234567890abcdef1234567890abcdef")},
		"options of a command": {"fg://a:1", "--sink=exec:find . -print -a x.log -p 80 --batch 3 -H 'Accept: text/plain' -H \"X-Foo: $KEY\""},
		"a subscription":       {"ws://a", `--hello={{"op":"subscribe","channel":"trades"}\n`},
		"line breaks of YAML":  {"ws://a", "--client-name=a\u2028b\u0085c\u2029d"},
		"URL of a command":     {"fg://a:1", "--sink=exec:./post http://localhost:80/in?batch=1 -u $ME"},
		"harmless headers":     {"ws://a", "--ws-header=User-Agent: feed/1.2", "--ws-header=X-Env: test, live"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(strings.Join(args, " "), "--sink=") {
				args = append(args, "--sink=discard:")
			}
			lines := checked(t, 0, nil, append(args, "--print")...)
			if strings.ContainsAny(strings.Join(lines, ""), "\u2028\u2029\u0085") {
				t.Errorf("a line break of YAML 1.1 in\n%q", lines)
			}
			if again := checked(t, 0, nil, "--config="+configFile(t, strings.Join(lines, "")), "--print"); !slices.Equal(withoutOrigins(lines), withoutOrigins(again)) {
				t.Errorf("first\n%sthen\n%s", strings.Join(lines, ""), strings.Join(again, ""))
			}
		})
	}
}
