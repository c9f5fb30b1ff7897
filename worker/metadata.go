package worker

import (
	"fmt"
	"slices"
	"strings"
)

// Metadata describes what a protocol reports about its messages in addition to their data. It is
// immutable and shared.
type Metadata struct {
	// Names are the values that messages have. A name that ends in a colon stands for a
	// family: "prop:" for prop:x and every other name with that prefix.
	Names []string
	// Append appends the value called name, or nothing if m has none. It allocates only to
	// extend dst.
	Append func(dst []byte, m Message, name string) []byte
	// AppendID appends a permanent identifier of m; nil: the protocol has none.
	AppendID func(dst []byte, m Message) []byte
	// Split splits a frame into its head, from which Append takes values, and its data; nil: a
	// frame is all data. The length of the head depends on the head's own bytes only. A frame
	// shorter than a head has none: a refused message has neither head nor data.
	Split func(frame []byte) (head, data []byte)
}

// Has reports whether messages have a value called name. A nil Metadata has no names.
func (md *Metadata) Has(name string) bool {
	return md != nil && slices.ContainsFunc(md.Names, func(known string) bool {
		if strings.HasSuffix(known, ":") {
			return len(name) > len(known) && strings.HasPrefix(name, known)
		}
		return name == known
	})
}

// Check returns nil if messages have a value called name, else an error that lists the known names.
// scheme, of the protocol's URLs, is for the error.
func (md *Metadata) Check(scheme, name string) error {
	switch {
	case md.Has(name):
		return nil
	case md == nil || len(md.Names) == 0:
		return fmt.Errorf("meta:%s: %s:// has no metadata", name, scheme)
	}
	known := slices.Clone(md.Names)
	for i, k := range known {
		if strings.HasSuffix(k, ":") {
			known[i] += "NAME"
		}
	}
	return fmt.Errorf("meta:%s: %s:// has %s", name, scheme, strings.Join(known, ", "))
}

// Origin is what the messages of one connection have in common. It is immutable as soon as a
// message refers to it. Messages without metadata have a nil Origin.
type Origin struct {
	Upstream string    // label of the upstream
	Session  string    // as the server named it; empty: none
	Meta     *Metadata // nil: the protocol has none
	ID       Picker    // of --id; nil: Meta.AppendID
}

// Picker picks a part of a message, as a selector of feedgate/worker/selector does.
type Picker interface {
	// AppendFrom appends the part; a JSON string is decoded.
	AppendFrom(dst []byte, m Message) []byte
	// AppendRawFrom appends the part; a JSON string keeps its escapes.
	AppendRawFrom(dst []byte, m Message) []byte
}

// split returns Metadata.Split; nil: frames have no heads.
func (o *Origin) split() func([]byte) (head, data []byte) {
	if o == nil || o.Meta == nil {
		return nil
	}
	return o.Meta.Split
}

// AppendMeta appends the value that the protocol reports as name, or nothing if it reports none. It
// allocates only to extend dst.
func (m Message) AppendMeta(dst []byte, name string) []byte {
	o := m.origin()
	if o == nil || o.Meta == nil {
		return dst
	}
	return o.Meta.Append(dst, m, name)
}

// Meta returns the value that the protocol reports as name, such as the topic; empty if it reports
// none. docs/upstreams.md lists the names. It may allocate.
func (m Message) Meta(name string) string { return string(m.AppendMeta(nil, name)) }

// AppendID appends the message's permanent identifier: the part that --id picks, else what the
// protocol reports, else nothing. It allocates only to extend dst.
func (m Message) AppendID(dst []byte) []byte {
	if o := m.origin(); o != nil && o.ID != nil {
		return o.ID.AppendFrom(dst, m)
	}
	return m.appendProtocolID(dst)
}

// AppendRawID is AppendID for templates: a JSON string that --id picks keeps its escapes.
func (m Message) AppendRawID(dst []byte) []byte {
	if o := m.origin(); o != nil && o.ID != nil {
		return o.ID.AppendRawFrom(dst, m)
	}
	return m.appendProtocolID(dst)
}

func (m Message) appendProtocolID(dst []byte) []byte {
	o := m.origin()
	if o == nil || o.Meta == nil || o.Meta.AppendID == nil {
		return dst
	}
	return o.Meta.AppendID(dst, m)
}

// ID returns the message's permanent identifier, as AppendID does; empty if it has none. The same
// message sent again has the same one. It may allocate.
func (m Message) ID() string { return string(m.AppendID(nil)) }
