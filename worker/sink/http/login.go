package httpsink

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"feedgate/worker/flagset"
	"feedgate/worker/header"
	"feedgate/worker/sink"
)

// login is what each request has for the server, besides the messages.
type login struct{ headers []header.Header }

const headerFlag = "--sink-header"

// reservedFor returns why --sink-header cannot set a header, by its name in lower case; "": it can.
func reservedFor(name string) string {
	switch {
	case name == "host":
		return "is the URL's host"
	case name == "idempotency-key":
		return "identifies the batch"
	case name == "content-encoding":
		return "would be wrong: bodies are not compressed"
	case slices.Contains(header.Framing, name):
		return "is reserved for HTTP itself"
	}
	return ""
}

// parseLogin reads the flags. Its error has a line for each fault, and quotes no value.
func parseLogin(flags *flagset.Flags) (in login, err error) {
	server, lines := flagset.Of[sink.ServerFlags](flags), flagset.Of[Flags](flags).Headers
	headers, fault := header.ParseAll(headerFlag, lines, reservedFor)
	in.headers = headers
	faults := []error{fault, checkUser(server.User)}
	if fault == nil {
		faults = append(faults, in.checkOnce(server.User != ""), in.checkUse(server))
	}
	return in, errors.Join(faults...)
}

// checkOnce checks that headers with one value have only one.
func (in *login) checkOnce(user bool) error {
	var faults []error
	for _, name := range []string{"Authorization", "Content-Type", "User-Agent"} {
		n := 0
		for _, h := range in.headers {
			if strings.EqualFold(h.Name, name) {
				n++
			}
		}
		switch {
		case n > 1:
			faults = append(faults, errors.New(headerFlag+": "+name+" is given twice"))
		case n == 1 && user && name == "Authorization":
			faults = append(faults, errors.New("--sink-user: sets Authorization, as "+headerFlag+" does; leave out one of them"))
		}
	}
	return errors.Join(faults...)
}

// checkUse checks that there is a password if something uses it, and only then.
func (in *login) checkUse(f sink.ServerFlags) error {
	switch token := header.AnyToken(in.headers); {
	case f.PasswordFile == "" && token:
		return errors.New(headerFlag + ": {token} needs --sink-password-file")
	case f.PasswordFile == "" && f.User != "":
		return errors.New("--sink-user: needs --sink-password-file")
	case f.PasswordFile != "" && f.User == "" && !token:
		return errors.New("--sink-password-file: is not used; give --sink-user, or " + headerFlag +
			" with {token}, as in " + headerFlag + " 'Authorization: Bearer {token}'")
	}
	return nil
}

// checkUser checks a name for Basic authentication (RFC 7617, section 2).
func checkUser(name string) error {
	if strings.Contains(name, ":") || !header.IsValue(name) {
		return errors.New("--sink-user: the name must have no colon and no control character")
	}
	return nil
}

// checkPassword must not quote the password.
func checkPassword(password []byte) error {
	if !header.IsValue(string(password)) {
		return errors.New("a control character has no place in a header")
	}
	return nil
}

// set sets the headers of a request. It reads the password at each request, because SIGHUP can
// replace it.
func (in *login) set(req *http.Request, f format, cfg *sink.Config) {
	req.Header.Set("Content-Type", f.contentType)
	req.Header.Set("User-Agent", "feedgate")
	for _, h := range in.headers {
		if name := http.CanonicalHeaderKey(h.Name); name == "Content-Type" || name == "User-Agent" {
			req.Header.Set(name, h.WithToken(cfg.Password.Bytes()))
		} else {
			req.Header.Add(name, h.WithToken(cfg.Password.Bytes()))
		}
	}
	if cfg.User != "" && cfg.Password != nil {
		req.SetBasicAuth(cfg.User, string(cfg.Password.Bytes()))
	}
}
