package assemble

import (
	"bytes"
	"encoding/json"
	"strings"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// model holds the requests of one connection, parsed with encoding/json, without timeouts, in the
// simplest way.
type model struct {
	cfg     Config
	inner   int // the longest message of the inner protocol; 0: there is no bound
	names   []string
	open    map[string]*modelRequest
	refused map[string]bool
	seq     uint64
	msgs    []wiretest.Message
}

type modelRequest struct{ joined, last string }

func newModel(cfg Config) *model {
	return &model{
		cfg: cfg, names: strings.Split(strings.TrimPrefix(cfg.Spec, "json:"), ","),
		open: map[string]*modelRequest{}, refused: map[string]bool{},
	}
}

// modelPart is a message cut around the inside of its DATA.
type modelPart struct {
	key                string
	head, inside, tail string
	has                bool
	complete, unfit    bool
}

// parse reads a message with encoding/json.
func (m *model) parse(msg string) (p modelPart, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(msg), &members) != nil || members == nil {
		return p, false
	}
	if p.key, ok = modelKey(members[m.names[0]]); !ok {
		return p, false
	}
	switch raw, there := members[m.names[1]]; {
	case string(raw) == "true":
		p.complete = true
	case there && string(raw) != "false":
		p.unfit = true
	}
	switch raw, there := members[m.names[2]]; {
	case !there:
		brace := strings.LastIndexByte(msg, '}')
		p.head, p.tail = msg[:brace], msg[brace:]
	case raw[0] == '"':
		end := lastValue(msg, m.names[2])
		start := end - len(raw)
		p.head, p.inside, p.tail, p.has = msg[:start+1], msg[start+1:end-1], msg[end-1:], true
	default:
		p.unfit = true
	}
	return p, true
}

func modelKey(raw json.RawMessage) (string, bool) {
	if raw == nil || bytes.ContainsAny(raw[:1], "{[n") {
		return "", false
	}
	key := string(raw)
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			panic(err)
		}
		key = `"` + text
	}
	return key, true
}

// lastValue is where the value of the last member of that name ends.
func lastValue(msg, name string) (end int) {
	dec := json.NewDecoder(strings.NewReader(msg))
	must := func(v any, err error) any {
		if err != nil {
			panic(err)
		}
		return v
	}
	must(dec.Token())
	for dec.More() {
		key := must(dec.Token())
		var raw json.RawMessage
		must(nil, dec.Decode(&raw))
		if key == name {
			end = int(dec.InputOffset())
		}
	}
	return end
}

func (m *model) take(msg string) {
	m.seq++
	m.message(wiretest.Message{Seq: m.seq}, msg)
}

func (m *model) message(as wiretest.Message, msg string) {
	pass := func(code worker.Code, data string) {
		as.Code, as.Data = code, []byte(data)
		m.msgs = append(m.msgs, as)
	}
	p, ok := m.parse(msg)
	skipped := m.inner > 0 && len(msg) > m.inner
	if !ok {
		if skipped {
			pass(worker.TooLarge, "")
		} else {
			pass(worker.BadRequest, msg)
		}
		return
	}
	if m.refused[p.key] {
		if p.complete {
			delete(m.refused, p.key)
		}
		return
	}
	r := m.open[p.key]
	refuse := func(code worker.Code) {
		pass(code, msg)
		delete(m.open, p.key)
		if !p.complete {
			m.refused[p.key] = true
		}
	}
	switch {
	case skipped:
		msg = ""
		refuse(worker.TooLarge)
	case p.unfit:
		refuse(worker.BadRequest)
	case p.complete && r == nil && int64(len(msg)) <= m.cfg.MaxMessage:
		pass(worker.OK, msg)
	case p.complete && r == nil:
		refuse(worker.TooLarge)
	case p.complete:
		whole := p.head + r.joined + p.inside + p.tail
		if !p.has {
			whole = p.head + `,"` + m.names[2] + `":"` + r.joined + `"` + p.tail
		}
		if int64(len(whole)) > m.cfg.MaxMessage {
			refuse(worker.TooLarge)
			return
		}
		delete(m.open, p.key)
		pass(worker.OK, whole)
	default:
		next := &modelRequest{joined: p.inside, last: p.head + p.tail}
		if r != nil {
			next.joined = r.joined + p.inside
		}
		m.open[p.key] = next
		if int64(len(next.joined)) > m.cfg.MaxMessage || m.memory() > m.cfg.Memory || len(m.open) > maxOpen {
			refuse(worker.TooLarge)
		}
	}
}

// held is what the open requests hold, in bytes.
func (m *model) memory() (n int64) {
	for key, r := range m.open {
		if len(key) > maxKey {
			key = key[:1+32] // a digest and its mark
		}
		n += int64(len(key) + len(r.joined) + len(r.last))
	}
	return n
}

// unfinished is the fault of a connection that ends with requests open.
func (m *model) unfinished() *wire.Error {
	if len(m.open) == 0 {
		return nil
	}
	return unfinished(len(m.open))
}

// result is the driver's result if there is no fault.
func (m *model) result() wiretest.Result {
	return wiretest.Result{
		Msgs:   m.msgs,
		Events: []wiretest.Event{{Event: wire.Event{Kind: wire.EventReady, First: 1, Each: true}}},
	}
}
