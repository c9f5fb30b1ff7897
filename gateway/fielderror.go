package gateway

import (
	"errors"
	"regexp"
	"strings"
)

// Errors of New, Validate and Run, for [errors.Is]. One error may be of several kinds.
var (
	// ErrConfig is in every error of New and Validate.
	ErrConfig = errors.New("invalid configuration")
	// ErrUnfinished: Run ended with messages unfinished or acks unsent.
	ErrUnfinished = errors.New("messages are left")
	// ErrConnect: Config.ConnectAttempts consecutive attempts failed.
	ErrConnect = errors.New("cannot connect")
	// ErrLogin: the server refused the login, and a retry would not help.
	ErrLogin = errors.New("login refused")
	// ErrTruncated: with Config.ExitOnClose, the stream ended in the middle of a message. It is
	// of protocols for which the end of the stream is a clean close.
	ErrTruncated = errors.New("truncated stream")
	// ErrSink: the sink cannot be opened or closed, or failed permanently. The error wraps the
	// sink's.
	ErrSink = errors.New("sink failed")
)

// FieldError is an error about one field of [Config] or of the protocol's settings. Its text names
// fields; [ByFlag] makes it name flags.
type FieldError struct {
	Field string
	flag  string
	err   error // without the name
	exact bool  // err is not ours, and its text stays as it is
	whole error // the error that it was made of
	kind  error // one of the Err variables above
}

func (e *FieldError) Error() string {
	if e.exact {
		return e.Field + ": " + e.err.Error()
	}
	return e.Field + ": " + fieldNames(e.err.Error())
}

// Unwrap returns the kind of the error and its cause.
func (e *FieldError) Unwrap() []error { return []error{e.kind, e.whole} }

// ByFlag returns err with a text that names the command's flags instead of fields. It looks at err
// and the errors joined in it, not into those that wrap others.
func ByFlag(err error) error {
	return mapJoined(err, func(err error) error {
		switch e := err.(type) {
		case *FieldError:
			return flagError{e}
		case kindError:
			e.byFlag = true
			return e
		}
		return err
	})
}

// flagError is a FieldError whose text names flags.
type flagError struct{ *FieldError }

func (e flagError) Error() string { return e.flag + ": " + e.err.Error() }
func (e flagError) Unwrap() error { return e.FieldError }

// fieldErrors makes a FieldError of kind ErrConfig of each error joined in err. Their texts begin
// with a flag, or with "upstream URL".
func fieldErrors(err error) error {
	return mapJoined(err, func(err error) error {
		flag, text, _ := strings.Cut(err.Error(), ": ")
		return &FieldError{Field: fieldOf(flag, text), flag: flag, err: errors.New(text), whole: err, kind: ErrConfig}
	})
}

// causedBy makes a FieldError of an error that is not ours.
func causedBy(flag string, err, kind error) *FieldError {
	if err == nil {
		err = errors.New("no reason given")
	}
	return &FieldError{Field: fieldNames(flag), flag: flag, err: err, exact: true, whole: err, kind: kind}
}

// kindError is an error of Run that belongs to no field.
type kindError struct {
	err    error
	kind   error
	byFlag bool // its text names flags
}

func (e kindError) Error() string {
	if e.byFlag {
		return e.err.Error()
	}
	return fieldNames(e.err.Error())
}
func (e kindError) Unwrap() []error { return []error{e.kind, e.err} }

// mapJoined replaces each of the errors that [errors.Join] has joined.
func mapJoined(err error, replace func(error) error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return replace(err)
	}
	all, texts := joined.Unwrap(), make([]string, len(joined.Unwrap()))
	for i, one := range all {
		texts[i] = one.Error()
	}
	if strings.Join(texts, "\n") != err.Error() {
		return replace(err) // it wraps several errors in a text of its own
	}
	replaced := make([]error, len(all))
	for i, one := range all {
		replaced[i] = mapJoined(one, replace)
	}
	return errors.Join(replaced...)
}

// fieldOf returns the field of a flag that has an error.
func fieldOf(flag, text string) string {
	switch {
	case flag != "upstream URL":
		return fieldNames(flag)
	case strings.HasPrefix(text, "no host") || strings.HasSuffix(text, "is not HOST:PORT"):
		return "Hosts"
	case strings.HasPrefix(text, "the topic"):
		return "Topic"
	case strings.HasPrefix(text, "the channel"):
		return "Channel"
	}
	return "URL"
}

// fieldsByFlag are the fields that are not called like their flag.
var fieldsByFlag = map[string]string{
	"--id": "ID", "--dead-letter": "DeadLetters", "--token-file": "Token", "--ws-header": "Headers", "--http-header": "Headers",
	"--tls-ca": "TLS.CA", "--tls-cert": "TLS.Cert", "--tls-key": "TLS.Key", "--tls-server-name": "TLS.ServerName",
}

// flagName matches a flag, or a quotation, which may be of the user's text.
var flagName = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|--[a-z]+(?:-[a-z]+)*`)

// fieldNames replaces the names of flags in a text by those of fields.
func fieldNames(text string) string {
	return flagName.ReplaceAllStringFunc(text, func(match string) string {
		if match[0] == '"' {
			return match
		}
		if field, ok := fieldsByFlag[match]; ok {
			return field
		}
		var field strings.Builder
		for word := range strings.SplitSeq(match[2:], "-") {
			field.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		return field.String()
	})
}
