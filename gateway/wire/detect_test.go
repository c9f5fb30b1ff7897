package wire

import "testing"

func TestDetectProtocol(t *testing.T) {
	for received, want := range map[string]string{
		"":                             "",
		"\x15\x03\x01\x00\x02\x02\x46": "TLS",
		"\x15":                         "TLS",
		"\x15\x04":                     "",
		"\x16\x03\x03\x00\x7a\x02":     "TLS",
		"HTTP/1.1 400 Bad Request\r\n": "HTTP",
		"SSH-2.0-OpenSSH_9.2\r\n":      "SSH",
		"220 ready\r\n":                "text",
		"$GPGGA,1\r\n":                 "text",
		"abc":                          "",
		"\x00\x00\x00\x0c\x02\x00":     "",
		"caf\xc3\xa9 au lait":          "",
	} {
		if got := DetectProtocol([]byte(received)); got != want {
			t.Errorf("%q looks like %q, want %q", received, got, want)
		}
	}
}
