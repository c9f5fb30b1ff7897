package wire

// DetectProtocol returns which protocol a peer's first bytes look like: "TLS", "HTTP", "SSH",
// "text", or "" if unknown. It is for errors, which must not quote the bytes.
func DetectProtocol(b []byte) string {
	begins := func(s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }
	switch {
	// A record's type, alert or handshake, then the major version (RFC 8446, section 5.1).
	case len(b) > 0 && (b[0] == 0x15 || b[0] == 0x16) && (len(b) == 1 || b[1] == 3):
		return "TLS"
	case begins("HTTP/"):
		return "HTTP"
	case begins("SSH-"):
		return "SSH"
	}
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t' {
			return ""
		}
	}
	if len(b) < 4 {
		return ""
	}
	return "text"
}
