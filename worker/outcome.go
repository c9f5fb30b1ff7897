package worker

import (
	"errors"
	"fmt"
	"time"
)

// Code is the outcome of a message: OK, or why it was refused.
type Code uint16

// Codes of FG/1. A handler uses OK, Refused, BadRequest and those from CodeHandler to
// CodeHandlerLast; any other counts as Refused.
const (
	OK           Code = 0 // done
	Refused      Code = 1 // the handler refused it, failed or panicked
	BadRequest   Code = 2
	TooLarge     Code = 3 // longer than --max-message
	DeadLettered Code = 7
	CodeHandler  Code = 1000
	// CodeHandlerLast is the last code that belongs to handlers.
	CodeHandlerLast Code = 8191
)

// ForHandlers reports whether a handler may resolve a message with the code.
func (c Code) ForHandlers() bool {
	return c <= BadRequest || c >= CodeHandler && c <= CodeHandlerLast
}

// refusal is the error of Refuse.
type refusal Code

func (r refusal) Error() string { return fmt.Sprintf("refused with code %d", Code(r)) }

// Refuse returns the error by which a [Func] refuses a message with a code. It may be wrapped. With
// --retries, the message is tried again first, as after any other error.
func Refuse(code Code) error { return refusal(code) }

// again is the error of Again.
type again time.Duration

func (a again) Error() string { return "again after " + time.Duration(a).String() }

// Again returns the error by which a [Func] asks for a message once more after this time, at least
// a millisecond and at most 49 days. It may be wrapped. The message stays unacknowledged, for as
// many times as it takes, and does not use up --retries; under order by key, later messages with
// its key wait behind it.
func Again(after time.Duration) error { return again(after) }

// Outcome is what the error of a [Func] means: a code or, if after is above 0, once more after that
// time. Nil means OK; an error that wraps neither [Refuse] nor [Again] means Refused.
func Outcome(err error) (code Code, after time.Duration) {
	switch e := err.(type) { // errors.As allocates
	case nil:
		return OK, 0
	case again:
		return OK, max(time.Duration(e), time.Millisecond)
	case refusal:
		return Code(e), 0
	}
	if a := again(0); errors.As(err, &a) {
		return OK, max(time.Duration(a), time.Millisecond)
	}
	if r := refusal(0); errors.As(err, &r) {
		return Code(r), 0
	}
	return Refused, 0
}
