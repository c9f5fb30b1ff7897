package worker

import (
	"errors"
	"fmt"
	"time"
)

// Code is the outcome of a message: OK, or why it was refused.
type Code uint16

// The codes of FG/1. A handler may use OK, Refused, BadRequest, and its own from CodeHandler to
// CodeHandlerLast. Any other code counts as Refused.
const (
	OK           Code = 0 // done
	Refused      Code = 1 // by the handler, by an error or a panic
	BadRequest   Code = 2 // malformed
	TooLarge     Code = 3 // longer than --max-message; set by the gateway
	DeadLettered Code = 7 // refused, and kept by --dead-letter; set by the gateway
	CodeHandler  Code = 1000
	// CodeHandlerLast is the last of the handler's own codes.
	CodeHandlerLast Code = 8191
)

// ForHandlers reports whether a handler may resolve a message with the code.
func (c Code) ForHandlers() bool {
	return c <= BadRequest || c >= CodeHandler && c <= CodeHandlerLast
}

// refusal is the error of Refuse.
type refusal Code

func (r refusal) Error() string { return fmt.Sprintf("refused with code %d", Code(r)) }

// Refuse returns an error with which a [Func] refuses a message with a code. The Func may wrap it
// with %w. With --retries, the message is tried again first, as after any other error. A code that
// a handler may not use, and OK, mean Refused.
func Refuse(code Code) error {
	if code == OK || !code.ForHandlers() {
		code = Refused
	}
	return refusal(code)
}

// again is the error of Again.
type again time.Duration

func (a again) Error() string { return "again after " + time.Duration(a).String() }

// wait is the time, within bounds.
func (a again) wait() time.Duration {
	return max(MinAgain, min(time.Duration(a), MaxAgain))
}

// Bounds of the time of [Again].
const (
	MinAgain = time.Millisecond
	MaxAgain = 49 * 24 * time.Hour
)

// Again returns an error with which a [Func] asks to be given a message once more after this time,
// from MinAgain to MaxAgain. The Func may wrap it with %w. It may ask any number of times; that
// does not count towards --retries. The message stays unacknowledged. Later messages overtake it,
// except those with its key under order by key: they wait. A drain waits for its next try, up to
// --drain-timeout. A sink of dead letters must not return it: there it means Refused.
func Again(after time.Duration) error { return again(after) }

// Outcome returns the meaning of an error of a [Func]: if after is above 0, the message is wanted
// again after that time, else it is resolved with code. Gateways use it, and sinks that call a
// Func themselves.
func Outcome(err error) (code Code, after time.Duration) {
	switch e := err.(type) { // errors.As allocates
	case nil:
		return OK, 0
	case again:
		return OK, e.wait()
	case refusal:
		return Code(e), 0
	}
	if a := again(0); errors.As(err, &a) {
		return OK, a.wait()
	}
	if r := refusal(0); errors.As(err, &r) {
		return Code(r), 0
	}
	return Refused, 0
}
