package e2e

import (
	"strings"
	"testing"
)

// sinkFlags are those of sinks that are servers, each with a value.
var sinkFlags = map[string]string{
	"sink-user": "me", "sink-password-file": "/nonexistent/s3cret", "sink-ca": "ca.pem", "sink-cert": "cert.pem", "sink-key": "key.pem",
}

// TestSinkFlagsNeedATaker: a flag that neither --sink nor --dead-letter takes would be ignored.
// It is exit 2 before anything is opened, wherever it was set, and the error names the flag,
// what takes it and the sinks that do not.
func TestSinkFlagsNeedATaker(t *testing.T) {
	t.Parallel()
	for flag, value := range sinkFlags {
		variable := "FEEDGATE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		for where, c := range map[string]struct {
			env  []string
			args []string
			set  string // what the error says of where it was set
		}{
			"flag":     {nil, []string{"--" + flag + "=" + value}, ""},
			"variable": {[]string{variable + "=" + value}, nil, "(set by " + variable + ")"},
			"file":     {nil, []string{"--config=" + configFile(t, flag+": "+value+"\n")}, "feedgate.yaml:1)"},
		} {
			t.Run(flag+" by "+where, func(t *testing.T) {
				t.Parallel()
				dead := t.TempDir() + "/dead"
				args := append([]string{"run", "fg://127.0.0.1:1", "--admin=", "--sink=exec:cat", "--dead-letter=file:" + dead}, c.args...)
				got := command(t, c.env, args...)
				line := "feedgate: --" + flag + ": goes with sinks that are servers"
				if got.status != 2 || !strings.HasPrefix(got.stderr, line) || !strings.Contains(got.stderr, "not with exec:, file:") ||
					!strings.Contains(got.stderr, c.set) || got.stdout != "" {
					t.Errorf("status %d, standard output %q, standard error %q, want 2 and %q", got.status, got.stdout, got.stderr, line)
				}
			})
		}
	}
}

// TestSinkFlagsAllFaults: several faults are found at once, a flag's once.
func TestSinkFlagsAllFaults(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=discard:", "--sink-user=me", "--sink-key=k", "--ring=1000")
	for _, flag := range []string{"--sink-user:", "--sink-key:", "--ring:"} {
		if got.status != 2 || strings.Count(got.stderr, "feedgate: "+flag) != 1 {
			t.Errorf("status %d, want 2 and %s once in\n%s", got.status, flag, got.stderr)
		}
	}
}

// TestSinkFlagsInTheHelp: in a group of their own, which says of which sinks they are.
func TestSinkFlagsInTheHelp(t *testing.T) {
	t.Parallel()
	help := command(t, nil, "run", "--help").stdout
	_, group, found := strings.Cut(help, "\nFor sinks that are servers ")
	group, _, _ = strings.Cut(group, "\n\n")
	for flag := range sinkFlags {
		if !found || !strings.Contains(group, "\n  --"+flag+"=") || strings.Count(help, "\n  --"+flag+"=") != 1 {
			t.Errorf("--%s is not in the group of sinks that are servers", flag)
		}
	}
}
