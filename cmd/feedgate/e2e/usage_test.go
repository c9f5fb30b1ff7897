package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHelpCommand: help COMMAND is COMMAND --help.
func TestHelpCommand(t *testing.T) {
	t.Parallel()
	for _, c := range [][]string{{}, {"run"}, {"check"}, {"feed"}} {
		got := command(t, nil, append([]string{"help"}, c...)...)
		if want := command(t, nil, append(c, "--help")...); got != want || got.status != 0 || got.stdout == "" {
			t.Errorf("help %q: status %d\n%s%s", c, got.status, got.stdout, got.stderr)
		}
	}
	if got := command(t, nil, "help", "nothing"); got.status != 2 || !strings.Contains(got.stderr, "nothing") {
		t.Errorf("help nothing: status %d\n%s", got.status, got.stderr)
	}
}

// wrongUse are invalid command lines and what the error must name. {} is `run` with a valid upstream.
var wrongUse = []struct{ line, names string }{
	{"", ""},
	{"fly", "fly"},
	{"run", "url"},
	{"{} --no-such-flag", "--no-such-flag"},
	{"run gopher://127.0.0.1:1", "gopher"},
	{"run 127.0.0.1:1", "127.0.0.1:1"},
	{"run fg://", "fg://"},
	{"run fg://127.0.0.1", "127.0.0.1"},
	{"run fg://127.0.0.1:port", "127.0.0.1:port"},
	{"run fg://127.0.0.1:70000", "70000"},
	{"run fg://127.0.0.1:1,", "fg://127.0.0.1:1,"},
	{"run fg://127.0.0.1:1/path", "/path"},
	{"{} --workers=0x", "--workers"},
	{"{} --workers=-1", "--workers"},
	{"{} --dispatch=random", "--dispatch"},
	{"{} --dispatch=key", "--key"},
	{"{} --dispatch=key --key=hash", "--key"},
	{"{} --dispatch=key --key=bytes:x:1", "--key"},
	{"{} --dispatch=key --key=bytes:0", "--key"},
	{"{} --dispatch=key --key=bytes:-1:4", "--key"},
	{"{} --dispatch=key --key=field:0:,", "--key"},
	{"{} --dispatch=key --key=json:", "--key"},
	{"{} --ring=1000", "--ring"},
	{"{} --ring=-8", "--ring"},
	{"{} --flush-max=33", "--flush-max"},
	{"{} --flush-max=-1", "--flush-max"},
	{"{} --flush-pack=-1", "--flush-pack"},
	{"{} --ack=twice", "--ack"},
	{"run tcp://127.0.0.1:1 --frame=line --ack=range --ack-template=A", "--ack"},
	{"run tcp://127.0.0.1:1 --frame=line --ack=ordered", "--ack"},
	{"run ws://127.0.0.1:1/ --ack=range --ack-template=A", "--ack"},
	{"run nsq://127.0.0.1:1/topic/channel --ack=ordered", "--ack"},
	{"run nsq://127.0.0.1:1/topic/channel --ack=none", "--ack"},
	{"run nsq://127.0.0.1:1/topic", "nsq://127.0.0.1:1/topic"},
	{"run nsq:///topic/channel", "--nsqlookupd"},
	{"{} --ack-interval=soon", "--ack-interval"},
	{"{} --ack-interval=-1s", "--ack-interval"},
	{"{} --max-message=big", "--max-message"},
	{"{} --max-message=1XiB", "--max-message"},
	{"{} --max-message=-1", "--max-message"},
	{"{} --in-flight=-1", "--in-flight"},
	{"{} --memory=3MiB", "--memory"},
	{"{} --retries=-1", "--retries"},
	{"{} --retry-min=-1s", "--retry-min"},
	{"{} --dead-letter=ftp:x", "--dead-letter"},
	{"{} --dead-letter=file:", "--dead-letter"},
	{"{} --heartbeat=often", "--heartbeat"},
	{"{} --heartbeat=-1s", "--heartbeat"},
	{"{} --idle-timeout=-1s", "--idle-timeout"},
	{"{} --connect-timeout=-1s", "--connect-timeout"},
	{"{} --write-timeout=x", "--write-timeout"},
	{"{} --reconnect-min=-1s", "--reconnect-min"},
	{"{} --reconnect-min=5s --reconnect-max=1s", "--reconnect-max"},
	{"{} --drain-timeout=-1s", "--drain-timeout"},
	{"{} --sink=kafka:x", "--sink"},
	{"{} --sink=file:", "--sink"},
	{"{} --sink=exec:", "--sink"},
	{"{} --sink=spin:x", "--sink"},
	{"{} --sink=spin:-1s", "--sink"},
	{"{} --admin=nowhere", "--admin"},
	{"run fg+tls://127.0.0.1:1 --tls-cert=cert.pem", "--tls-key"},
	{"run fg+tls://127.0.0.1:1 --tls-key=key.pem", "--tls-cert"},
	{"{} --maxprocs=many", "--maxprocs"},
	{"{} --maxprocs=0", "--maxprocs"},
	{"{} --log-format=xml", "--log-format"},
	{"{} --log-level=loud", "--log-level"},
	{"{} --config=/nonexistent/feedgate.yaml", "/nonexistent/feedgate.yaml"},
	{"run tcp://127.0.0.1:1", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=json", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=delim:", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=delim:0", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=delim:zz", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=delim:000102030405060708", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=length:offset=0,size=5,adjust=0,strip=5,order=big", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=length:offset=-1,size=4,adjust=0,strip=4,order=big", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=length:offset=0,size=4,adjust=0,strip=4,order=middle", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=length:width=4", "--frame"},
	{"run ws://127.0.0.1:1/ --frame=line", "--frame"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template={n", "--ack-template"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template={what}", "--ack-template"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template={token}", "--ack-template"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template={n:u24be}", "--ack-template"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template={bytes:0}", "--ack-template"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template={field:0:,}", "--ack-template"},
	{`run tcp://127.0.0.1:1 --frame=line --ack-template=\q`, "--ack-template"},
	{`run tcp://127.0.0.1:1 --frame=line --ack-template=\x1`, "--ack-template"},
	{"run tcp://127.0.0.1:1 --frame=line --hello={n}", "--hello"},
	{"run tcp://127.0.0.1:1 --frame=line --heartbeat-template={code}", "--heartbeat-template"},
	{"run tcp://127.0.0.1:1 --frame=line --heartbeat-template={token}", "--heartbeat-template"},
	{"run tcp://127.0.0.1:1 --frame=line --assemble=json:id", "--assemble"},
	{"run tcp://127.0.0.1:1 --frame=line --ack-template=A --ack=ordered --assemble=json:id,complete,data", "--assemble"},
	{"run ws://127.0.0.1:1/ --ws-header=nocolon", "--ws-header"},
	{"feed --listen=127.0.0.1:0 --protocol=carrier-pigeon", "--protocol"},
	{"feed --listen=127.0.0.1:0 --chaos=maybe", "--chaos"},
}

// TestUsageErrors: exit status 2, the fault on standard error, nothing on standard output.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, c := range wrongUse {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			line := strings.ReplaceAll(c.line, "{} ", "run fg://127.0.0.1:1 ")
			args := strings.Fields(line)
			if len(args) > 0 && args[0] == "run" && !strings.Contains(line, "--admin") {
				args = append(args, "--admin=")
			}
			if len(args) > 0 && args[0] == "run" && !strings.Contains(line, "--sink") {
				args = append(args, "--sink=discard:")
			}
			got := command(t, nil, args...)
			if got.status != 2 {
				t.Errorf("exit status %d, want 2", got.status)
			}
			if !strings.Contains(strings.ToLower(got.stderr), c.names) || got.stderr == "" {
				t.Errorf("standard error %q does not name %q", got.stderr, c.names)
			}
			if got.stdout != "" {
				t.Errorf("standard output %.200q", got.stdout)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, holds string }{
		{"--help", "run"}, {"run --help", "--ack-template"}, {"feed --help", "half-open"},
		{"--help", "bench"}, {"--help bench", "feedgate-bench"}, {"version", "go1."}, {"--version", "go1."},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			got := command(t, nil, strings.Fields(c.line)...)
			if got.status != 0 || !strings.Contains(got.stdout, c.holds) || got.stderr != "" {
				t.Errorf("status %d, standard output %q, standard error %q", got.status, got.stdout, got.stderr)
			}
		})
	}
}

// TestNoFlagDisablesTLSVerification: the help has none.
func TestNoFlagDisablesTLSVerification(t *testing.T) {
	t.Parallel()
	help := strings.ToLower(command(t, nil, "run", "--help").stdout)
	for _, word := range []string{"insecure", "skip-verify", "no-verify"} {
		if strings.Contains(help, word) {
			t.Errorf("run --help has %q", word)
		}
	}
}

func TestConfigFileFaultsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, names string }{
		"unknown key": {"workers: 2\nwrokers: 3\n", "wrokers"},
		"bad value":   {"ring: 1000\n", "ring"},
		"bad size":    {"max-message: 3 elephants\n", "max-message"},
		"not yaml":    {"workers: [1\n", ".yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := configFile(t, c.text)
			got := command(t, nil, "run", "fg://127.0.0.1:1", "--sink=discard:", "--admin=", "--config="+path)
			if got.status != 2 || !strings.Contains(got.stderr, c.names) {
				t.Errorf("status %d, %q; want 2 and %q", got.status, got.stderr, c.names)
			}
		})
	}
}

func TestEnvironmentFaultIsAUsageError(t *testing.T) {
	t.Parallel()
	got := command(t, []string{"FEEDGATE_RING=1000"}, "run", "fg://127.0.0.1:1", "--sink=discard:", "--admin=")
	if got.status != 2 || !strings.Contains(strings.ToLower(got.stderr), "ring") {
		t.Errorf("status %d, %q", got.status, got.stderr)
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "feedgate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
