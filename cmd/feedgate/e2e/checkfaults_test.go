package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// checked are the lines that check prints.
func checked(t *testing.T, want int, env []string, args ...string) []string {
	t.Helper()
	got := command(t, env, append([]string{"check"}, args...)...)
	if got.status != want {
		t.Fatalf("check %q: status %d, want %d\n%s%s", args, got.status, want, got.stdout, got.stderr)
	}
	if got.stderr != "" {
		t.Errorf("check %q: standard error has\n%s", args, got.stderr)
	}
	return slices.Collect(strings.Lines(got.stdout))
}

// checkFault is one mistake in the settings.
type checkFault struct {
	args, env []string
	file      string
	want      string // FILE stands for the path of the configuration file
}

// checkFaults returns mistakes of all kinds.
func checkFaults(t *testing.T) map[string]checkFault {
	dir := t.TempDir()
	secret := tokenFile(t, "s3cret", 0o604)
	const fg, out = "fg://a:1", "--sink=discard:"
	return map[string]checkFault{
		"unknown flag":            {args: []string{fg, out, "--wrokers=3"}, want: "unknown flag --wrokers"},
		"unknown flag and value":  {args: []string{fg, out, "--wrokers", "3"}, want: "unknown flag --wrokers"},
		"no value":                {args: []string{fg, "--ring", out}, want: "--ring: the value is missing"},
		"too late a URL":          {args: []string{fg, out, "fg://user:s3cret@b:1"}, want: "unexpected argument after the flags"},
		"no URL":                  {args: []string{out}, want: "no URL"},
		"no sink":                 {args: []string{fg}, want: "--sink: missing"},
		"unknown sink":            {args: []string{fg, "--sink=kfaka:x"}, want: "--sink "},
		"no number":               {args: []string{fg, out, "--workers=x"}, want: `--workers: "x" is not a whole number`},
		"no number of the parser": {args: []string{fg, out, "--retries=x"}, want: `--retries: "x" is not a whole number`},
		"negative":                {args: []string{fg, out}, env: []string{"FEEDGATE_RETRIES=-1"}, want: "--retries: -1 is not in 0 to 1048576 (set by FEEDGATE_RETRIES)"},
		"no size":                 {args: []string{fg, out}, env: []string{"FEEDGATE_MEMORY=64MB"}, want: `--memory: "64MB" is not a size`},
		"no duration":             {args: []string{fg, out}, file: "\nheartbeat: soon\n", want: `--heartbeat: "soon" is not a duration; write a number and ns, us, ms, s, m or h as in 1m30s (set by FILE:2)`},
		"no boolean":              {args: []string{fg, out}, env: []string{"FEEDGATE_EXIT_ON_CLOSE=perhaps"}, want: `--exit-on-close: "perhaps" is not true or false (set by FEEDGATE_EXIT_ON_CLOSE)`},
		"one of a list":           {args: []string{fg, out}, file: "log-level: loud\n", want: "--log-level must be one of"},
		"no power of two":         {args: []string{fg, out}, file: "ring: 1000\n", want: "--ring: 1000 is not a power of two (set by FILE:1)"},
		"limits that do not fit":  {args: []string{fg, out, "--reconnect-min=2s", "--reconnect-max=1s"}, want: "--reconnect-max: 1s is less than --reconnect-min 2s"},
		"bad scheme":              {args: []string{"http://a:1", out}, want: "http://a:1: upstream URL: "},
		"bad URL in a variable":   {args: []string{out}, env: []string{"FEEDGATE_URL=fg://a:1 fg://b"}, want: `fg://b: upstream URL: "b" is not HOST:PORT (set by FEEDGATE_URL)`},
		"bad URL in a file":       {args: []string{out}, file: "url:\n  - fg://a:1\n  - fg://b:x\n", want: `fg://b:x: upstream URL: port "x" of "b:x" is not 1 to 65535 (set by FILE:3)`},
		"ack of another protocol": {args: []string{"tcp://a:1", out, "--frame=line", "--ack=range"}, want: "--ack: "},
		"no framing":              {args: []string{"tcp://a:1", out}, want: "--frame: "},
		"flag of another":         {args: []string{fg, out, "--frame=line"}, want: "--frame: goes with tcp://, not with fg://"},
		"bad template":            {args: []string{"tcp://a:1", out, "--frame=line", "--ack-template={what}"}, want: "--ack-template: "},
		"bad selector":            {args: []string{fg, out, "--dispatch=key", "--key=colour"}, want: "--key: "},
		"bad header":              {args: []string{"ws://a", out, "--ws-header=Host: b"}, want: "--ws-header: "},
		"no secret file":          {args: []string{fg, out}, env: []string{"FEEDGATE_TOKEN_FILE=" + dir + "/none"}, want: "--token-file: "},
		"readable secret":         {args: []string{fg, out, "--token-file=" + secret}, want: "--token-file: others can get at "},
		"no CA":                   {args: []string{"fg+tls://a:1", out, "--tls-ca=" + dir + "/none"}, want: "--tls-ca: "},
		"half a certificate":      {args: []string{"fg+tls://a:1", out, "--tls-cert=" + dir + "/none"}, want: "--tls-key: missing"},
		"no TLS":                  {args: []string{fg, out, "--tls-server-name=a"}, want: "--tls-server-name: fg:// has no TLS"},
		"bad address":             {args: []string{fg, out}, env: []string{"FEEDGATE_ADMIN=here"}, want: `--admin: "here" is not HOST:PORT (set by FEEDGATE_ADMIN)`},
		"no dead letters":         {args: []string{fg, out, "--dead-letter=exec:./keep --token s3cret"}, want: `--dead-letter: "exec:" is not file:PATH`},
		"a password in a sink":    {args: []string{fg, "--sink=kafka://me:s3cret@a/t"}, want: `--sink "kafka://***@a/t": `},
		"JSON as a template":      {args: []string{"ws://a", out, `--hello={"password":"s3cret"}`}, want: "--hello: byte 1: placeholder {...}: unknown; "},
		"one file twice":          {args: []string{fg, "--sink=file:a", "--dead-letter=file:a"}, want: "--dead-letter: "},
		"a shared session":        {args: []string{fg, "fg://a:1,b:1", out, "--state=s"}, want: "--state: "},
		"unknown key":             {args: []string{fg, out}, file: "ring: 8\n\nrign: 3\n", want: `--config: FILE:3: unknown key "rign"`},
		"key without a value":     {args: []string{fg, out}, file: "ring:\n", want: "--config: FILE:1: key ring: no value"},
		"text without quotes":     {args: []string{fg}, file: "ring: 8\nsink: discard: # all of it\n", want: "--config: FILE:2: mapping value is not allowed in this context; put the value in quotes"},
		"element without quotes":  {args: []string{"ws://a", out}, file: "ws-header:\n  - A: b\n", want: "--config: FILE:1: key ws-header: mapping instead of a single value; put a text with a colon in quotes"},
		"not UTF-8":               {args: []string{"ws://a", out, "--hello", "\xff"}, want: `--hello: not UTF-8; a template has such a byte as \xHH, a URL as %HH`},
		"a variable not UTF-8":    {args: []string{fg, out}, env: []string{"FEEDGATE_CLIENT_NAME=\xff"}, want: "--client-name: not UTF-8; "},
		"a file not UTF-8":        {args: []string{fg, out}, file: "ring: 8\nhello: '\xff'\n", want: "--config: FILE:2: not UTF-8"},
		"a URL not UTF-8":         {args: []string{"ws://a/\xff", out}, want: "argument 2: not UTF-8; "},
		"endless file":            {args: []string{fg, out, "--config=/dev/zero"}, want: "--config: /dev/zero is longer than 1048576 bytes"},
		"endless CA":              {args: []string{"fg+tls://a:1", out, "--tls-ca=/dev/zero"}, want: "--tls-ca: /dev/zero is longer than 1048576 bytes"},
		"tab":                     {args: []string{fg, out}, file: "hello:\n\t- a\n", want: "--config: FILE:2: the line is indented with a tab; YAML takes only spaces"},
		"no value but a hyphen":   {args: []string{fg, out, "--heartbeat", "-1s"}, want: "--heartbeat: the value is missing; one that begins with a hyphen follows an equals sign, as in --heartbeat=-1s"},
		"no YAML":                 {args: []string{fg, out}, file: "ring: [8\n", want: "--config: FILE:1: "},
		"no file":                 {args: []string{fg, out, "--config=" + dir + "/none"}, want: "--config: "},
	}
}

// withFile returns the arguments of a fault, with its configuration file, and what to expect.
func (f checkFault) withFile(t *testing.T) (args []string, want string) {
	if f.file == "" {
		return f.args, f.want
	}
	path := configFile(t, f.file)
	return append(slices.Clone(f.args), "--config="+path), strings.ReplaceAll(f.want, "FILE", path)
}

// TestCheckFindsEachFault: in one line, with its place, and without a secret. run has the same line.
func TestCheckFindsEachFault(t *testing.T) {
	t.Parallel()
	for name, fault := range checkFaults(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args, want := fault.withFile(t)
			lines := checked(t, 2, fault.env, args...)
			if len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
				t.Fatalf("%q, want one line %q", lines, want)
			}
			if strings.Contains(lines[0], "s3cret") {
				t.Errorf("the line has the secret: %s", lines[0])
			}
			got := command(t, fault.env, append([]string{"run"}, args...)...)
			line := strings.ReplaceAll(lines[0], "feedgate check ", "feedgate run ")
			if got.status != 2 || !strings.Contains(got.stderr, "feedgate: "+line) && !strings.Contains(lines[0], "upstream URL") {
				t.Errorf("run: status %d\n%s, check: %s", got.status, got.stderr, lines[0])
			}
		})
	}
}

// TestCheckFindsAllFaults: of flags, environment and file, at once.
func TestCheckFindsAllFaults(t *testing.T) {
	t.Parallel()
	path := configFile(t, "url: [fg://a, 'fg://b:1']\nrign: 3\nworkers: x\nheartbeat: 0s\nflush-max: 99\n")
	env := []string{"FEEDGATE_MEMORY=64MB", "FEEDGATE_MAXPROCS=all", "FEEDGATE_DISPATCH=random", "FEEDGATE_LOG_FORMAT=xml"}
	lines := checked(t, 2, env, "--config", path, "--bogus", "1", "--ring=3", "--retries=many", "--admin=x", "--tls-ca=none",
		"--frame=line", "--sink=file:", "--also-bogus", "--token-file")
	for _, want := range []string{
		"unknown flag --bogus\n", "unknown flag --also-bogus\n", "--ring: 3 is not a power of two\n", "--retries: ", "--admin: ",
		"--tls-ca: open", "--tls-ca: fg:// has no TLS", "--frame: ", "--sink ", "--token-file: ",
		"--config: " + path + ":2: ", "--workers: \"x\" is not a whole number (set by " + path + ":3)\n",
		"--heartbeat: 0s is not longer than 0s (set by " + path + ":4)\n", "--flush-max: 99 is not in 1 to 32 (set by " + path + ":5)\n",
		"fg://a: upstream URL: \"a\" is not HOST:PORT (set by " + path + ":1)\n",
		"--memory: ", "--maxprocs: ", "--dispatch: ", "--log-format must be",
	} {
		matches := slices.Collect(func(yield func(string) bool) {
			for _, line := range lines {
				if strings.HasPrefix(line, want) && !yield(line) {
					return
				}
			}
		})
		if len(matches) != 1 {
			t.Errorf("%d lines begin with %q in\n%s", len(matches), want, strings.Join(lines, ""))
		}
	}
	if len(lines) != 19 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, ""))
	}
}

// TestCheckFindsMoreThanQuotes: a value without quotes hides no other fault, and a mistyped variable is reported
// beside faults.
func TestCheckFindsMoreThanQuotes(t *testing.T) {
	t.Parallel()
	path := configFile(t, "url: fg://a:1\nsink: discard:\nrign: 3\nhello: @x\n")
	lines := checked(t, 2, []string{"FEEDGATE_SNK=discard:"}, "--config", path, "--ring=3")
	for _, want := range []string{
		path + ":2: mapping", path + ":3: unknown key", path + ":4: '@' is a reserved character; put the value in quotes\n",
		"--hello: goes with ", "--ring: 3 is not", "warning: environment variables ignored: no flags of these names variables=FEEDGATE_SNK\n",
	} {
		if strings.Count(strings.Join(lines, ""), want) != 1 {
			t.Errorf("%q is not once in\n%s", want, strings.Join(lines, ""))
		}
	}
	if len(lines) != 6 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, ""))
	}
}

// TestCheckReadsPipes: a secret may come from a pipe. While nobody writes to it, the first signal ends check, with
// status 1.
func TestCheckReadsPipes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"check", "fg://a:1", "--sink=discard:", "--token-file=" + path}
	p := start(t, launch{args: args})
	writer := openPipe(t, path)
	if _, err := writer.WriteString("s3cret\n"); err != nil {
		t.Error(err)
	}
	writer.Close()
	p.exit(0)
	p = start(t, launch{args: args})
	defer openPipe(t, path).Close() // once it is open, check reads
	p.signal(syscall.SIGTERM)
	p.exit(1)
}

// openPipe opens a pipe for writing, as soon as it has a reader.
func openPipe(t *testing.T, path string) (writer *os.File) {
	t.Helper()
	eventually(t, "somebody reads the pipe", func() bool {
		var err error
		writer, err = os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	return writer
}

// TestCheckReadsTheState: a file that run would not accept is a fault; one that another process uses is
// none.
func TestCheckReadsTheState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"garbage": "no state", "shared": `{"version":1,"upstreams":{"fg://a:1,b:1":{"session":"s","seq":1}}}`,
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"garbage": " is not a state file of this version", "none/state": "its directory: ", "": " is not a regular file",
		"shared": "both fg://a:1 and fg://b:1 could resume the session of fg://a:1,b:1",
	} {
		lines := checked(t, 2, nil, "fg://a:1", "fg://b:1", "--sink=discard:", "--state="+in(name))
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "--state: ") || !strings.Contains(lines[0], want) {
			t.Errorf("%s: %q, want %q", name, lines, want)
		}
	}
	s := listenFG(t)
	p := run(t, s.url(), "--state="+in("used"))
	c := s.accept()
	c.welcome(1, `{"session":"s"}`)
	p.waitLog("connected and logged in")
	checked(t, 0, nil, s.url(), "--sink=discard:", "--state="+in("used"))
	p.stop(c)
}

// TestCheckChangesNothing: it describes what would run, and makes no file, starts no child and listens
// nowhere.
func TestCheckChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("state"), []byte(`{"version":1,"upstreams":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(in("state"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	urls := []string{"fg://127.0.0.1:1", "ws://127.0.0.1:1/a?key=s3cret"}
	for _, sink := range []string{"file:" + in("out"), "exec:touch " + in("child")} {
		lines := checked(t, 0, []string{"FEEDGATE_WROKERS=1", "FEEDGATE_PRINT=1"}, append(urls, "--sink="+sink, "--state="+in("state"),
			"--dead-letter=file:"+in("dead"), "--admin="+ln.Addr().String(), "--in-flight=100", "--ack-interval=3s")...)
		whole := strings.Join(lines, "")
		for _, want := range []string{
			"would run: version=", " upstream=fg://127.0.0.1:1 ", " upstream=ws://127.0.0.1:1/a ", " in_flight=100 ",
			"warning: environment variables ignored: no flags of these names variables=\"FEEDGATE_PRINT FEEDGATE_WROKERS\"\n",
			"warning: --ack-interval has no effect without --ack range upstream=fg://127.0.0.1:1\n",
			"warning: --state has no effect",
		} {
			if !strings.Contains(whole, want) {
				t.Errorf("no %q in\n%s", want, whole)
			}
		}
		if strings.Contains(whole, "s3cret") {
			t.Errorf("the output has the secret:\n%s", whole)
		}
		command(t, nil, append([]string{"check", "--connect", "--sink=" + sink, "--state=" + in("state")}, urls...)...)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	if after, err := os.ReadFile(in("state")); err != nil || string(after) != string(before) {
		t.Errorf("the state is %q, %v", after, err)
	}
}
