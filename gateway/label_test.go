package gateway

import "testing"

func TestLabel(t *testing.T) {
	for url, want := range map[string]string{
		"fg://h:1":                         "fg://h:1",
		"fg://h:1,i:2":                     "fg://h:1,i:2",
		"fg://user:pass@h:1,i:2":           "fg://h:1,i:2",
		"fg://u:p@ss@h:1":                  "fg://h:1",
		"ws://u:p@h/path/x?token=abc#frag": "ws://h/path/x",
		"ws://h?token=a@b":                 "ws://h",
		"ws://h/@name":                     "ws://h/@name",
		"nsq://h:1/topic/channel":          "nsq://h:1/topic/channel",
		"fg+tls://[::1]:7000":              "fg+tls://[::1]:7000",
		"FG+Tls://H:1":                     "fg+tls://H:1",
		"u:p@h:1":                          "h:1",
		"":                                 "",
	} {
		if got := Label(url); got != want {
			t.Errorf("%q becomes %q, not %q", url, got, want)
		}
	}
}
