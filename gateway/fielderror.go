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
	// ErrConnect: Config.ConnectAttempts consecutive attempts failed.
	ErrConnect = errors.New("cannot connect")
	// ErrLogin: the server refused the login, and a retry would not help.
	ErrLogin = errors.New("login refused")
	// ErrTruncated: with Config.ExitOnClose, the server closed in the middle of a message.
	ErrTruncated = errors.New("truncated stream")
	// ErrSink: the sink failed permanently. The error wraps the sink's.
	ErrSink = errors.New("sink failed")
)

// FieldError is an error about one field of [Config] or of the protocol's settings. Its text names
// fields; [ByFlag] makes it name flags.
type FieldError struct {
	Field string
	err   error // its text names flags
	kind  error // one of the Err variables above
}

func (e *FieldError) Error() string   { return fieldNames(e.err.Error()) }
func (e *FieldError) Unwrap() []error { return []error{e.kind, e.err} }

// ByFlag returns err with a text that names the command's flags instead of fields.
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

// fieldErrors makes a FieldError of kind ErrConfig of each error joined in err.
func fieldErrors(err error) error {
	return each(err, func(err error) error { return newFieldError(err, ErrConfig) })
}

// each replaces each of the errors that [errors.Join] has joined.
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
		return replace(err) // it wraps several errors in a text of its own
	}
	replaced := make([]error, len(all))
	for i, one := range all {
		replaced[i] = each(one, replace)
	}
	return errors.Join(replaced...)
}

// newFieldError makes a FieldError of an error whose text begins with a flag and a colon.
func newFieldError(err, kind error) *FieldError {
	field, _, _ := strings.Cut(fieldNames(err.Error()), ":")
	return &FieldError{Field: field, err: err, kind: kind}
}

var (
	flagName  = regexp.MustCompile(`--[a-z]+(?:-[a-z]+)*`)
	hostFault = regexp.MustCompile(`upstream URL: (no host|".*" is not HOST:PORT)`)
)

// fieldNames replaces the names of flags in text by those of fields.
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
