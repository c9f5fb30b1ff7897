package e2e

import (
	"strings"
	"testing"
)

// sinkFlags are the flags of sinks that are servers, each with a value.
var sinkFlags = map[string]string{
	"sink-user": "me", "sink-password-file": "/nonexistent/s3cret", "sink-ca": "ca.pem", "sink-cert": "cert.pem", "sink-key": "key.pem",
}

// TestUnusedSinkFlagsAreUsageErrors: a flag that neither --sink nor --dead-letter uses would be
// ignored. Wherever it is set, it is exit status 2 before anything is opened. The error names the
// flag, the sinks that use it and those in use.
func TestUnusedSinkFlagsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for flag, value := range sinkFlags {
		variable := "FEEDGATE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
		for where, c := range map[string]struct {
			env  []string
			args []string
			set  string // where it was set, in the error
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
				line := "feedgate: --" + flag + ": goes with http://"
				if got.status != 2 || !strings.HasPrefix(got.stderr, line) || !strings.Contains(got.stderr, "not with exec:, file:") ||
					!strings.Contains(got.stderr, c.set) || got.stdout != "" {
					t.Errorf("status %d, standard output %q, standard error %q, want 2 and %q", got.status, got.stdout, got.stderr, line)
				}
			})
		}
	}
}

// TestAllSinkFlagFaultsAreReported: at once, and one per flag.
func TestAllSinkFlagFaultsAreReported(t *testing.T) {
	t.Parallel()
	got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=discard:", "--sink-user=me", "--sink-key=k", "--ring=1000")
	for _, flag := range []string{"--sink-user:", "--sink-key:", "--ring:"} {
		if got.status != 2 || strings.Count(got.stderr, "feedgate: "+flag) != 1 {
			t.Errorf("status %d, want 2 and %s once in\n%s", got.status, flag, got.stderr)
		}
	}
}

// TestHelpGroupsSinkFlags: by the sinks that use them.
func TestHelpGroupsSinkFlags(t *testing.T) {
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
