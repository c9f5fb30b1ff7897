package main

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/cli"
)

// TestBadValues: an invalid value ends the process with status 2 and an error that begins with the
// flag.
func TestBadValues(t *testing.T) {
	for _, flag := range runFlags {
		for _, value := range flag.bad {
			args := []string{"run", "--sink=discard:", "fg://a:1", badAdmin, "--" + flag.name + "=" + value}
			if flag.name == "sink" {
				args[3] = "--admin=" // the sink is opened after the admin address
			}
			checkUsage(t, "--"+flag.name, args...)
		}
	}
}

// badAdmin ends a run that gets as far as listening there with status 1: nobody has this address,
// which is reserved for documentation (RFC 5737).
const badAdmin = "--admin=192.0.2.1:1"

// TestBadValuesOfGateway is TestBadValues for values that the gateway refuses.
func TestBadValuesOfGateway(t *testing.T) {
	for flag, values := range map[string][]string{
		"ring":               {"1000", "3"},
		"flush-max":          {"33"},
		"flush-pack":         {"-1"},
		"retries":            {"-1"},
		"dispatch":           {"random", "key"},
		"ack":                {"never", "ordered2"},
		"memory":             {"1KiB"},
		"frame":              {"line"}, // of tcp only
		"ack-template":       {"A{n}"},
		"hello":              {"HI"},
		"heartbeat-template": {"PING"},
		"ignore-prefix":      {"PONG"},
	} {
		for _, value := range values {
			at := "--" + flag
			if value == "key" {
				at = "--key"
			}
			checkUsage(t, at, "run", "--sink=discard:", "fg://a:1", badAdmin, "--"+flag+"="+value)
		}
	}
	checkUsage(t, "--key", "run", "--sink=discard:", "fg://a:1", badAdmin, "--dispatch=key", "--key=colour")
	checkUsage(t, "--frame", "run", "--sink=discard:", "tcp://a:1", badAdmin)
	checkUsage(t, "--frame", "run", "--sink=discard:", "tcp://a:1", badAdmin, "--frame=xml")
	checkUsage(t, "--ack-template", "run", "--sink=discard:", "tcp://a:1", badAdmin, "--frame=line", "--ack-template={nothing}")
	checkUsage(t, "--ack", "run", "--sink=discard:", "tcp://a:1", badAdmin, "--frame=line", "--ack=range")
	checkUsage(t, "--ack", "run", "--sink=discard:", "tcp://a:1", badAdmin, "--frame=line", "--ack=ordered")
	for _, url := range []string{"nsq://a:1", "nsq://a:1/t", "ws://a:0/", "wss://", "fg+tls://a", "http://a:1", "a:1", "fg://a", "fg://:1", "fg://a:x", "fg://a:1,b"} {
		checkUsage(t, url+": ", "run", "--sink=discard:", url, badAdmin)
	}
	checkUsage(t, "ws://a/: ", "run", "--sink=discard:", "ws://a/#b", badAdmin)
	checkUsage(t, "--frame", "run", "--sink=discard:", "ws://a", badAdmin, "--frame=line")
	checkUsage(t, "--ws-header", "run", "--sink=discard:", "ws://a", badAdmin, "--ws-header=Host: b")
	checkUsage(t, "--ws-header", "run", "--sink=discard:", "tcp://a:1", badAdmin, "--frame=line", "--ws-header=A: b")
	checkUsage(t, "--assemble", "run", "--sink=discard:", "fg://a:1", badAdmin, "--assemble=json:a,b,c")
	checkUsage(t, "--assemble", "run", "--sink=discard:", "ws://a", badAdmin, "--assemble=json:a")
	checkUsage(t, "--ack: ordered does not go with ws:// with --assemble", "run", "--sink=discard:", "ws://a", badAdmin, "--assemble=json:a,b,c", "--ack-template=A", "--ack=ordered")
	checkUsage(t, "--tls-key", "run", "--sink=discard:", "fg+tls://a:1", badAdmin, "--tls-cert=missing")
	checkUsage(t, "--tls-cert", "run", "--sink=discard:", "fg+tls://a:1", badAdmin, "--tls-key=missing")
	checkUsage(t, "--tls-cert", "run", "--sink=discard:", "fg+tls://a:1", badAdmin, "--tls-cert=missing", "--tls-key=missing")
	checkUsage(t, "--dead-letter", "run", "--sink=discard:", "fg://a:1", badAdmin, "--sink=file:a", "--dead-letter=file:a")
	checkUsage(t, "--state", "run", "--sink=discard:", "fg://a:1", "fg://b:1", "fg://a:1", badAdmin, "--state=s")
	checkUsage(t, "fg://a:1: ", "run", "--sink=discard:", "fg://u:s3cret@a:1?s3cret", badAdmin)
	// All faults are printed, each once, even if two gateways have it.
	stderr := checkUsage(t, "", "run", "--sink=discard:", "fg://a:1", "fg://b:1", "--admin=x", "--ring=3", "--flush-max=99")
	for _, flag := range []string{"feedgate: --admin:", "feedgate: --ring:", "feedgate: --flush-max:"} {
		if strings.Count(stderr, flag) != 1 {
			t.Errorf("%q is not once in\n%s", flag, stderr)
		}
	}
}

func TestOtherUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"expected one of":             {},
		"unexpected argument":         {"rnu"},
		"unknown flag --rign":         {"run", "--rign=8", "fg://a:1"},
		"no URL":                      {"run"},
		"--ring":                      {"run", "--sink=discard:", "fg://a:1", "--ring"},
		"unknown flag --chaos":        {"run", "--sink=discard:", "fg://a:1", "--chaos=x"},
		"unknown flag --tls-insecure": {"run", "--sink=discard:", "fg://a:1", "--tls-insecure"},
	} {
		checkUsage(t, want, args...)
	}
}

// checkUsage runs a command line that must end with a usage error that begins with want. It returns
// standard error without the log.
func checkUsage(t *testing.T, want string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(args, &stdout, &stderr); status != cli.ExitUsage {
		t.Errorf("%q: status %d", args, status)
	}
	text := regexp.MustCompile(`(?m)^time=.*\n`).ReplaceAllString(stderr.String(), "") // the log
	help := regexp.MustCompile(`(?m)^feedgate: see feedgate( [a-z]+)? --help$`)
	if !strings.HasPrefix(text, "feedgate: "+want) || !help.MatchString(text) || stdout.Len() > 0 {
		t.Errorf("%q: standard output %q, standard error\n%s", args, stdout.String(), text)
	}
	return text
}

// TestHelp: the help fits into 80 columns and has one line for each flag, with its default.
func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	t.Setenv("COLUMNS", "80")
	if status := run([]string{"run", "--help"}, &stdout, &stderr); status != cli.ExitOK || stderr.Len() > 0 {
		t.Fatalf("status %d, standard error %q", status, stderr.String())
	}
	lines := strings.Split(stdout.String(), "\n")
	defaults := map[string]string{"workers": "GOMAXPROCS", "in-flight": "65536, or by protocol", "ring": "8192, or by protocol", "memory": "64MiB, or by cgroup", "ack": "by protocol", "client-name": "host name"}
	c, _ := mustParseRun(t)
	for _, line := range lines {
		if len(line) > 80 && !strings.HasPrefix(line, "    feedgate run") {
			t.Errorf("longer than 80: %s", line)
		}
	}
	for _, flag := range runFlags {
		i := slices.IndexFunc(lines, func(line string) bool {
			return regexp.MustCompile(`^  --` + flag.name + `[ =].*\.$`).MatchString(line)
		})
		if i < 0 {
			t.Errorf("--%s does not have a line of its own", flag.name)
			continue
		}
		want, ok := defaults[flag.name]
		if field := reflect.ValueOf(c).Elem().FieldByNameFunc(func(name string) bool {
			return strings.EqualFold(name, strings.ReplaceAll(flag.name, "-", ""))
		}); !ok && field.Kind() == reflect.String {
			want = field.String()
		}
		if want != "" && !strings.HasSuffix(lines[i], " ["+want+"].") {
			t.Errorf("the default %s is not in %s", want, lines[i])
		}
	}
}
