package nsqlookup

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for addr, want := range map[string]string{
		"a:4161":                       "http://a:4161/lookup",
		"[::1]:4161":                   "http://[::1]:4161/lookup",
		"http://a":                     "http://a/lookup",
		"http://a:4161/":               "http://a:4161/lookup",
		"https://a/nsq":                "https://a/nsq/lookup",
		"https://u:p@a:1/lookup?k=v":   "https://u:p@a:1/lookup?k=v",
		"":                             "",
		"a":                            "",
		":4161":                        "",
		"a:":                           "",
		"a:0":                          "",
		"a:65536":                      "",
		"a:x":                          "",
		"a:1/x":                        "",
		"a:1?x":                        "",
		"a:1#x":                        "",
		"u:p@a:1":                      "",
		"http://":                      "",
		"http://:1":                    "",
		"http://a:":                    "",
		"http://a:0":                   "",
		"http://a#x":                   "",
		"ftp://a:1":                    "",
		"nsq://a:1":                    "",
		"http://%zz":                   "",
		"http://a:1,http://b:1":        "",
		"http://a:1/lookup\nX-More: 1": "",
	} {
		u, ok := parseAddr(addr)
		if ok != (want != "") || ok && u.String() != want {
			t.Errorf("%q becomes %v, %v, not %q", addr, u, ok, want)
		}
	}
}

// TestAddressFaults: every fault is named, and no secret is quoted.
func TestAddressFaults(t *testing.T) {
	_, err := parseAddrs([]string{"a:1", "b", "http://u:s3cret@:1", "ftp://c?s3cret"})
	want := `--nsqlookupd: "b" is not HOST:PORT, nor an http:// or https:// URL
--nsqlookupd: address 3 is not HOST:PORT, nor an http:// or https:// URL
--nsqlookupd: address 4 is not HOST:PORT, nor an http:// or https:// URL`
	if err == nil || err.Error() != want || strings.Contains(want, "s3cret") {
		t.Errorf("%v", err)
	}
	if _, err := parseAddrs([]string{"a:1", "https://b"}); err != nil {
		t.Error(err)
	}
}
