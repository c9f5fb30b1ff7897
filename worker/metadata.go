package worker

import (
	"fmt"
	"slices"
	"strings"
)

// Metadata is what a protocol reports about its messages beside their data. It is immutable
// and shared.
type Metadata struct {
	// Names are the values that messages have. A name that ends in a colon begins a family:
	// "prop:" stands for prop:x and all others.
	Names []string
	// Append appends the value called name, or nothing if m has none. It allocates only to
	// extend dst.
	Append func(dst []byte, m Message, name string) []byte
	// AppendID appends what identifies m permanently; nil: nothing does.
	AppendID func(dst []byte, m Message) []byte
	// Split cuts what lies in the slab for a message into its head, from which Append takes
	// values, and its data; nil: all of it is data. The head's own bytes say how long it is,
	// whatever follows. What is shorter than a head has none: a refused message has neither.
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

// Check returns an error that lists the names that there are, unless name is one. scheme is
// that of the protocol's URLs.
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

// Origin is what the messages of one connection have in common. It is immutable once a
// message refers to it. A nil Origin is that of messages without metadata.
type Origin struct {
	Upstream string    // label of the upstream
	Session  string    // as the server named it; empty: it did not
	Meta     *Metadata // nil: the protocol has none
	ID       Picker    // --id: picks the message's id; nil: the protocol reports it
}

// Picker picks a part of a message, as a [feedgate/worker/selector.Selector] does.
type Picker interface {
	// AppendFrom appends the part, a JSON string decoded.
	AppendFrom(dst []byte, m Message) []byte
	// AppendRawFrom appends the part, a JSON string with its escapes.
	AppendRawFrom(dst []byte, m Message) []byte
}

// split is the protocol's; nil: frames have no heads.
func (o *Origin) split() func([]byte) (head, data []byte) {
	if o == nil || o.Meta == nil {
		return nil
	}
	return o.Meta.Split
}

// AppendMeta appends the value that the protocol reports as name, or nothing if there is
// none. It allocates only to extend dst.
func (m Message) AppendMeta(dst []byte, name string) []byte {
	o := m.origin()
	if o == nil || o.Meta == nil {
		return dst
	}
	return o.Meta.Append(dst, m, name)
}

// Meta is the value that the protocol reports as name; empty: there is none. It may allocate.
func (m Message) Meta(name string) string { return string(m.AppendMeta(nil, name)) }

// AppendID appends what identifies the message permanently: what --id picks, else what the
// protocol reports, else nothing. It allocates only to extend dst.
func (m Message) AppendID(dst []byte) []byte {
	if o := m.origin(); o != nil && o.ID != nil {
		return o.ID.AppendFrom(dst, m)
	}
	return m.appendProtocolID(dst)
}

// AppendRawID is AppendID for templates: a JSON string that --id picks keeps its escapes, as
// with [Picker].AppendRawFrom.
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

// ID is what AppendID appends. It may allocate.
func (m Message) ID() string { return string(m.AppendID(nil)) }
