package gateway

import (
	"math"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
	"feedgate/worker/selector"
)

// content defines how keys, ids and the sink's input are derived from messages.
type content struct {
	selector *selector.Selector // --key; nil: spread
	id       *selector.Selector // --id; nil: the protocol's
	output   *template.Template // --output; nil: the message itself
}

// checkContent parses --id and --output.
func (c *Config) checkContent(f *faults.List) (id *selector.Selector, output *template.Template) {
	if c.ID != "" {
		s, err := selector.Parse(c.ID)
		if err != nil {
			f.Addf("--id: %w", err)
		} else {
			id = &s
		}
	}
	if c.Output == "" {
		return id, nil
	}
	output, err := template.Parse(c.Output, template.Output)
	if err != nil {
		f.Addf("--output: %w", err)
		return id, nil
	}
	if n := int64(output.Quotes()); n > 1 && n > math.MaxUint32/max(c.MaxMessage, 1) {
		f.Addf("--output: it can make more than 4 GiB of a message of --max-message (%d)", c.MaxMessage)
	}
	return id, output
}

// checkMeta reports references to metadata that the protocol does not have.
func (s *content) checkMeta(scheme string, t wire.Traits, ofSink []string, f *faults.List) {
	check := func(flag, name string) {
		if err := t.Meta.Check(scheme, name); err != nil {
			f.Addf("%s: %w", flag, err)
		}
	}
	if s.selector != nil && s.selector.NeedsMeta() {
		check("--key", s.selector.MetaName())
	}
	if s.id != nil && s.id.NeedsMeta() {
		check("--id", s.id.MetaName())
	}
	if s.output != nil {
		for _, name := range s.output.MetaNames() {
			check("--output", name)
		}
	}
	for _, name := range ofSink {
		check("--sink", name)
	}
}

// readsMeta reports whether keys, ids or the output use metadata.
func (s *content) readsMeta() bool {
	return s.selector != nil && s.selector.NeedsMeta() || s.id != nil && s.id.NeedsMeta() ||
		s.output != nil && (s.output.HasID() || len(s.output.MetaNames()) > 0)
}

// makeOutput returns the function with which workers render the output; nil: there is no --output.
func (s *content) makeOutput() func(dst []byte, m worker.Message) []byte {
	if s.output == nil {
		return nil
	}
	t := s.output
	return func(dst []byte, m worker.Message) []byte { return t.Append(dst, m, 0) }
}

// outputShare: rendered output may take up one part in outputShare of --memory.
const outputShare = 4

// outputMemory returns how many bytes rendered output may take up; 0: there is no --output.
func (c *Config) outputMemory() int64 {
	if c.Output == "" {
		return 0
	}
	return c.Memory / outputShare
}

// picker returns what picks the ids of messages; nil: the protocol reports them.
func (s *content) picker() worker.Picker {
	if s.id == nil {
		return nil // not a nil selector in the interface
	}
	return s.id
}
