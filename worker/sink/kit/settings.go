package kit

import (
	"errors"
	"fmt"
)

// This file decides whether the settings are wrong, by what the server does with the first messages.

// errAllRefused fails a sink whose server refuses every message of the first batch.
var errAllRefused = errors.New("the server refused every message of the first batch, and has never accepted one")

// deny fails the sink if the server has never accepted a message.
func (s *Sink) deny(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.accepted {
		s.fail(err)
	}
}

// noteAccepted records that the server has accepted a message.
func (s *Sink) noteAccepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = true
}

// NoteRefusal logs why a message is refused, at most once a second with the number. Clients call it, from any
// goroutine, before they resolve the message. why must not contain data.
func (s *Sink) NoteRefusal(why error) {
	s.log.refusals.Add("error", why)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = why
}

// failAllRefused fails the sink because its server has refused all messages so far.
func (s *Sink) failAllRefused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errAllRefused
	if s.refusal != nil {
		err = fmt.Errorf("%w: %w; nothing is acknowledged: see the settings, or the messages at the feed", err, s.refusal)
	}
	s.fail(err)
}
