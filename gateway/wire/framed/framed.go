// Package framed holds the settings that tcp and ws share, as protocols that only frame messages:
// the gateway sends what templates describe, and chunked requests may be joined.
package framed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/assemble"
)

// Flags are these settings, and the flags for them.
type Flags struct {
	// Hello is a template, sent on connecting.
	Hello string `name:"hello" group:"framing" placeholder:"TEMPLATE" help:"Sent on connecting."`
	// AckTemplate is sent for each message.
	AckTemplate string `name:"ack-template" group:"framing" placeholder:"TEMPLATE" help:"Sent for each message [nothing]."`
	// HeartbeatTemplate is sent every Settings.Heartbeat.
	HeartbeatTemplate string `name:"heartbeat-template" group:"framing" placeholder:"TEMPLATE" help:"Sent every --heartbeat [nothing]."`
	// IgnorePrefix is the prefix of messages that are signs of life only.
	IgnorePrefix string `name:"ignore-prefix" group:"framing" placeholder:"BYTES" help:"Such messages are signs of life only."`
	// Assemble is json:ID,COMPLETE,DATA: it joins chunked requests.
	Assemble string `name:"assemble" group:"framing" placeholder:"SPEC" help:"Joins chunked requests, above."`
}

// Group implements [flagset.Grouped].
func (Flags) Group() (key, title string) {
	return "framing", "Schemes tcp and ws, any framed protocol:"
}

// Help implements [flagset.Explained].
func (Flags) Help() string {
	return `Chunked requests: with --assemble json:ID,COMPLETE,DATA messages are JSON objects; those with the same ID are parts of one, their DATA strings are joined until one has COMPLETE true, and the sink gets that one, once, with all of the DATA.`
}

// Login is a flag that is sent on connecting.
type Login struct {
	Flag     string
	HasToken bool // it contains the secret of --token-file
}

// Finish completes a codec whose templates have been checked: it records whether the token is
// sent, by --hello or one of the others, and wraps the codec for Assemble. Its error has one line
// per fault.
func (f Flags) Finish(codec *wire.Codec, s wire.Settings, others ...Login) (*wire.Codec, error) {
	hello := Login{"--hello", strings.Contains(strings.ReplaceAll(f.Hello, "{{", ""), "{token}")}
	if err := addToken(codec, s.Token != nil, append(others, hello)); err != nil {
		return nil, err
	}
	if f.Hello != "" {
		codec.Unprobed = "--hello"
	}
	if f.Assemble == "" {
		return codec, nil
	}
	idle := s.Idle()
	if idle == 0 {
		idle = wire.DefaultIdle
	}
	joined, err := assemble.New(codec, assemble.Config{
		Spec: f.Assemble, MaxMessage: s.MaxMessage, Memory: s.Memory / 2, IdleTimeout: idle,
	})
	if err != nil {
		return nil, err
	}
	joined.Acks = slices.DeleteFunc(slices.Clone(joined.Acks), func(m wire.AckMode) bool { return m == wire.AckOrdered })
	joined.AckNote = "with --assemble"
	return joined, nil
}

// addToken records in the codec whether one of the logins sends the token.
func addToken(codec *wire.Codec, given bool, logins []Login) error {
	var faults []error
	var without []string
	for _, l := range logins {
		switch {
		case !l.HasToken:
			without = append(without, l.Flag)
		case !given:
			faults = append(faults, fmt.Errorf("%s: {token} needs --token-file", l.Flag))
		}
	}
	if len(without) == len(logins) {
		codec.TokenUnsent = "because there is no {token} in " + strings.Join(without, " or ")
	}
	return errors.Join(faults...)
}
