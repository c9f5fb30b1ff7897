package gateway

import (
	"errors"
	"regexp"
	"strings"
)

// Errors of New, Validate and Run, for [errors.Is].
var (
	// ErrConfig is in every error of New and Validate.
	ErrConfig = errors.New("invalid configuration")
	// ErrUnfinished: Run ended with messages unfinished or acks unsent.
	ErrUnfinished = errors.New("messages left unfinished")
	// ErrConnect: ConnectAttempts in a row have failed.
	ErrConnect = errors.New("cannot connect")
	// ErrLogin: the server has refused the login, and trying again would not help.
	ErrLogin = errors.New("login refused")
	// ErrTruncated: with ExitOnClose, the server has closed in the middle of a message.
	ErrTruncated = errors.New("truncated stream")
	// ErrSink: the sink has failed for good. The error wraps the sink's.
	ErrSink = errors.New("sink failed")
)

// FieldError is an error about one field of Config or of the protocol's settings. Its text names
// fields, where that of the command names flags.
type FieldError struct {
	Field string
	err   error // its text names flags
	kind  error // one of the errors above
}

func (e *FieldError) Error() string   { return fieldNames(e.err.Error()) }
func (e *FieldError) Unwrap() []error { return []error{e.kind, e.err} }

// ByFlag is err with flags of the command in place of fields.
func ByFlag(err error) error {
	return each(err, func(err error) error {
		if e, ok := err.(*FieldError); ok {
			return flagError{e}
		}
		return err
	})
}

// flagError is a FieldError whose text names flags.
type flagError struct{ *FieldError }

func (e flagError) Error() string { return e.err.Error() }
func (e flagError) Unwrap() error { return e.FieldError }

// fieldErrors makes a FieldError of each error in err whose text begins with a flag.
func fieldErrors(err error) error {
	return each(err, func(err error) error { return newFieldError(err, ErrConfig) })
}

// each replaces every error that [errors.Join] has joined.
func each(err error, replace func(error) error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if _, isField := err.(*FieldError); !ok || isField {
		return replace(err)
	}
	all, texts := joined.Unwrap(), make([]string, len(joined.Unwrap()))
	for i, one := range all {
		texts[i] = one.Error()
	}
	if strings.Join(texts, "\n") != err.Error() {
		return replace(err) // it wraps several, in words of its own
	}
	replaced := make([]error, len(all))
	for i, one := range all {
		replaced[i] = each(one, replace)
	}
	return errors.Join(replaced...)
}

// newFieldError makes a FieldError of an error whose text begins with a flag.
func newFieldError(err, kind error) *FieldError {
	field, _, _ := strings.Cut(fieldNames(err.Error()), ":")
	return &FieldError{Field: field, err: err, kind: kind}
}

var (
	flagName  = regexp.MustCompile(`--[a-z]+(?:-[a-z]+)*`)
	hostFault = regexp.MustCompile(`upstream URL: (no host|".*" is not HOST:PORT)`)
)

// fieldNames is text with the names of fields in place of those of flags.
func fieldNames(text string) string {
	text = hostFault.ReplaceAllString(text, "Hosts: $1")
	text = strings.ReplaceAll(text, "upstream URL: ", "URL: ")
	return flagName.ReplaceAllStringFunc(text, func(flag string) string {
		var field strings.Builder
		if rest, ok := strings.CutPrefix(flag, "--tls-"); ok {
			field.WriteString("TLS.")
			flag = "--" + rest
		}
		for word := range strings.SplitSeq(flag[2:], "-") {
			switch word {
			case "id", "ca":
				field.WriteString(strings.ToUpper(word))
			default:
				field.WriteString(strings.ToUpper(word[:1]) + word[1:])
			}
		}
		return field.String()
	})
}
