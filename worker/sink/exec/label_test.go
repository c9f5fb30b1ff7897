package exec

import "testing"

// TestLabel: it shows the program, and nothing that may be secret.
func TestLabel(t *testing.T) {
	for command, want := range map[string]string{
		"./handle --token hunter2":                "exec:./handle",
		"/usr/bin/python3 h.py":                   "exec:/usr/bin/python3",
		"TOKEN=hunter2 EMPTY= ./handle":           "exec:./handle",
		"PASSWORD='my hunter2' exec python3 h.py": "exec:",
		`PASSWORD="my hunter2" ./h`:               "exec:",
		`PASS=a\ hunter2 ./h`:                     "exec:",
		"x=$(echo hunter2)":                       "exec:",
		"x=`echo hunter2` ./h":                    "exec:",
		"ftp://bob:hunter2@h":                     "exec:",
		"'./my handler' x":                        "exec:",
		"A='1:2' B=\"x=y\" exec './handle'":       "exec:exec",
		"A=1":                                     "exec:",
		"./h|tee":                                 "exec:",
		"  ./h":                                   "exec:./h",
	} {
		if got := label(command); got != want {
			t.Errorf("%s: %q, not %q", command, got, want)
		}
	}
}
