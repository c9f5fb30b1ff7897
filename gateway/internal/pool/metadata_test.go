package pool

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
	"time"

	"feedgate/worker"
	"feedgate/worker/selector"
)

// testMeta is the Metadata of a protocol whose heads are a byte with the number of tries, a byte
// with the length of the topic, and the topic.
var testMeta = &worker.Metadata{
	Names: []string{"topic", "tries", "prop:"},
	Append: func(dst []byte, m worker.Message, name string) []byte {
		head := m.Head()
		switch {
		case len(head) == 0:
		case name == "topic":
			return append(dst, head[2:]...)
		case name == "tries":
			return strconv.AppendUint(dst, uint64(head[0]), 10)
		case strings.HasPrefix(name, "prop:"):
			return append(dst, name[len("prop:"):]...)
		}
		return dst
	},
	AppendID: func(dst []byte, m worker.Message) []byte {
		dst = append(append(dst, m.Session()...), '-')
		return strconv.AppendUint(dst, m.Seq, 10)
	},
	Split: func(frame []byte) (head, data []byte) {
		if len(frame) < 2 {
			return nil, frame
		}
		n := 2 + int(frame[1])
		return frame[:n:n], frame[n:]
	},
}

// testFrame returns a frame of that protocol.
func testFrame(tries byte, topic, data string) []byte {
	return append(append([]byte{tries, byte(len(topic))}, topic...), data...)
}

func mustSelect(t testing.TB, text string) *selector.Selector {
	t.Helper()
	s, err := selector.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestMetadataNames(t *testing.T) {
	for name, want := range map[string]bool{
		"topic": true, "tries": true, "prop:a": true, "prop:": false, "prop": false, "": false, "Topic": false, "topic:": false,
	} {
		if got := testMeta.Has(name); got != want {
			t.Errorf("Has(%q) is %v", name, got)
		}
	}
	for _, c := range []struct {
		meta *worker.Metadata
		name string
		want string
	}{
		{testMeta, "topic", ""},
		{testMeta, "qos", "meta:qos: x:// has topic, tries, prop:NAME"},
		{nil, "qos", "meta:qos: x:// has no metadata"},
		{new(worker.Metadata), "qos", "meta:qos: x:// has no metadata"},
	} {
		got := ""
		if err := c.meta.Check("x", c.name); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("Check(%q): %q, want %q", c.name, got, c.want)
		}
	}
	if testMeta.Names[2] != "prop:" {
		t.Error("Check has changed the names")
	}
}

func TestMessageMetadata(t *testing.T) {
	const data = `{"id":"a\nb","k":1}`
	o := &worker.Origin{Upstream: "x://host", Session: "s", Meta: testMeta}
	m := o.Message(testFrame(3, "t/1", data), 7, 1)
	if string(m.Data) != data || m.Seq != 7 || m.Tag != 1 || m.Upstream() != "x://host" || m.Session() != "s" {
		t.Fatalf("message is %q %d %d of %q %q", m.Data, m.Seq, m.Tag, m.Upstream(), m.Session())
	}
	for text, want := range map[string]string{
		"meta:topic": "t/1", "meta:tries": "3", "meta:prop:a": "a", `meta:prop\x3aa`: "a",
		"json:k": "1", "json:id": "a\nb", "bytes:0:2": `{"`,
	} {
		s := mustSelect(t, text)
		if got := s.AppendFrom([]byte("+"), m); string(got) != "+"+want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if got := selector.NewKeyer(s).Hash(m); got != mustSelect(t, "bytes:0:1000").Hash([]byte(want)) {
			t.Errorf("%s: the hash is not that of %q", text, want)
		}
		want = strings.ReplaceAll(want, "\n", `\n`)
		if got := s.AppendRawFrom(nil, m); string(got) != want {
			t.Errorf("%s: raw %q, want %q", text, got, want)
		}
		if s.NeedsMeta() != strings.HasPrefix(text, "meta:") || (s.MetaName() != "") != s.NeedsMeta() {
			t.Errorf("%s: needs metadata: %v, %q", text, s.NeedsMeta(), s.MetaName())
		}
		if s.NeedsMeta() && s.Find(m.Data) != nil {
			t.Errorf("%s: found in the data", text)
		}
	}
	if got := m.Meta("topic"); got != "t/1" {
		t.Errorf("Meta: %q", got)
	}
	if got := m.ID(); got != "s-7" {
		t.Errorf("ID: %q", got)
	}
	o.ID = mustSelect(t, "json:id")
	if raw := m.AppendRawID(nil); m.ID() != "a\nb" || string(raw) != `a\nb` {
		t.Errorf("ID by --id: %q, raw %q", m.ID(), raw)
	}
	if got := m.Received(); string(got) != data {
		t.Errorf("Received: %q", got)
	}
}

// TestMessageWithoutMetadata: the methods return nothing, and do not panic.
func TestMessageWithoutMetadata(t *testing.T) {
	for name, m := range map[string]worker.Message{
		"made by hand": {Data: []byte("data"), Seq: 1},
		"no origin":    (*worker.Origin)(nil).Message([]byte("data"), 1, 0),
		"no protocol":  (&worker.Origin{}).Message([]byte("data"), 1, 0),
		"refused":      (&worker.Origin{Meta: &worker.Metadata{Append: testMeta.Append, Split: testMeta.Split}}).Message(nil, 1, 0),
	} {
		if got := m.ID() + m.Meta("topic") + m.Session() + m.Upstream() + string(m.Head()) + string(m.AppendRawID(nil)); got != "" {
			t.Errorf("%s: found %q", name, got)
		}
		if !bytes.Equal(m.Received(), m.Data) {
			t.Errorf("%s: received %q, data %q", name, m.Received(), m.Data)
		}
	}
}

func TestMetaSelectorFaults(t *testing.T) {
	for text, want := range map[string]string{
		"meta":      "NAME is missing",
		"meta:":     "NAME is missing",
		`meta:\q`:   `unknown escape \q`,
		"meta=name": "want bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B or meta:NAME",
	} {
		if _, err := selector.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

func TestMetadataAllocatesNothing(t *testing.T) {
	o := &worker.Origin{Session: "s", Meta: testMeta}
	frame, dst := testFrame(3, "t/1", "data"), make([]byte, 0, 256)
	s := mustSelect(t, "meta:topic")
	k := selector.NewKeyer(s)
	slab := &Slab{Buffer: worker.Buffer{Data: frame, Origin: o}}
	if n := testing.AllocsPerRun(100, func() {
		m := slab.Message(Span(0, uint32(len(frame))), 7, 0)
		k.Hash(m)
		dst = m.AppendRawID(m.AppendID(s.AppendFrom(dst[:0], m)))
	}); n != 0 {
		t.Errorf("%v allocations for a message", n)
	}
}

// TestMetadataReachesHandlers: messages have their metadata in batches, in retries with a key of
// the metadata, in acks and as dead letters.
func TestMetadataReachesHandlers(t *testing.T) {
	var got, dead []string
	tries := map[uint64]int{}
	describe := func(m worker.Message) string {
		return m.ID() + " " + m.Meta("topic") + " " + m.Meta("tries") + " " + string(m.Data)
	}
	l := newTestLoop(t, Config{
		Retries: 1, RetryMin: time.Millisecond, Key: mustSelect(t, "meta:topic"),
		Sink: byCode(func(m worker.Message) worker.Code {
			if tries[m.Seq]++; tries[m.Seq] == 1 || string(m.Data) == "3" {
				return worker.Refused
			}
			got = append(got, describe(m))
			return worker.OK
		}),
		DeadLetters: byCode(func(m worker.Message) worker.Code { dead = append(dead, describe(m)); return worker.OK }),
		Render: func(dst []byte, m worker.Message, code worker.Code) []byte {
			return m.AppendMeta(append(dst, m.Data...), "topic")
		},
	})
	l.slabs.At(0).Origin = &worker.Origin{Session: "s", Meta: testMeta}
	l.dispatch(0, 0, testFrame(1, "a", "0"), testFrame(1, "b", "1"), testFrame(2, "a", "2"), testFrame(3, "bb", "3"))
	l.finish()
	byKey := map[string]string{}
	for _, s := range got {
		topic := strings.Fields(s)[1]
		byKey[topic] += s + "\n"
	}
	if want := "s-1 a 1 0\ns-3 a 2 2\n"; byKey["a"] != want || byKey["b"] != "s-2 b 1 1\n" || len(got) != 3 {
		t.Errorf("the handler got %q", got)
	}
	if len(dead) != 1 || dead[0] != "s-4 bb 3 3" {
		t.Errorf("dead letters %q", dead)
	}
	for slot, want := range []string{"0a", "1b", "2a", "3bb"} {
		if l.acks[uint32(slot)] != want {
			t.Errorf("ack %d is %q, want %q", slot, l.acks[uint32(slot)], want)
		}
	}
	l.wantFreed(0)
}

// TestHeadsAreNoData: sizes and data in a batch are without heads.
func TestHeadsAreNoData(t *testing.T) {
	checked := 0
	l := newTestLoop(t, Config{Sink: batchSink(func(b worker.Batch) {
		for i := range b.Len() {
			m := b.At(i)
			if len(m.Data) != 4 || b.Size(i) != 4 || binary.BigEndian.Uint32(m.Data) != uint32(m.Seq-1) || string(m.Head()) != "\x00\x01t" {
				t.Errorf("message %d of size %d: %q, head %q", m.Seq, b.Size(i), m.Data, m.Head())
			}
			checked++
		}
		b.Resolve(b.Len(), worker.OK)
	})})
	l.slabs.At(0).Origin = &worker.Origin{Meta: testMeta}
	var frames [][]byte
	for _, p := range numbered(300) {
		frames = append(frames, testFrame(0, "t", string(p)))
	}
	l.dispatch(0, 0, frames...)
	l.finish()
	if checked != 300 {
		t.Errorf("%d messages", checked)
	}
}

// batchSink is a sink of a function for whole batches.
type batchSink func(b worker.Batch)

func (s batchSink) Open(worker.Completer) (worker.Handler, error) { return batchHandler{s}, nil }
func (batchSink) Ready() error                                    { return nil }
func (batchSink) Failed() <-chan struct{}                         { return nil }
func (batchSink) Err() error                                      { return nil }
func (batchSink) Close() error                                    { return nil }

type batchHandler struct{ handle batchSink }

func (h batchHandler) Handle(b worker.Batch) { h.handle(b) }
func (batchHandler) Drain()                  {}
func (batchHandler) Close() error            { return nil }
