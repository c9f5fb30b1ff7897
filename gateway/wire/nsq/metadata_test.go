package nsq

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"feedgate/gateway/internal/pool"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/wiretest"
	"feedgate/worker"
)

// withHeads is testConfig with metadata in use.
func withHeads() Config {
	cfg := testConfig()
	cfg.Heads = true
	return cfg
}

// metaOf returns a message of p as a worker has it.
func metaOf(p *wire.Codec, m wiretest.Message) worker.Message {
	return (&worker.Origin{Meta: p.Meta}).Message(m.Data, m.Seq, m.Tag)
}

// TestMetadata: heads do not change messages, and hold nsqd's metadata, however they arrive.
func TestMetadata(t *testing.T) {
	body := bodyOf(testLimit)
	stream := cat(answers(), message(1, 1, "one"), response("_heartbeat_"), message(2, 65535, ""), message(3, 7, body),
		message(4, 1, body+"b"), message(5, 2, "five"))
	heads := mustNew(t, withHeads())
	plans, rng := wiretest.Plans(t.Name(), len(stream))
	for i := range 20 {
		plans[fmt.Sprint("random ", i)] = wiretest.Random(rng)
	}
	for name, plan := range plans {
		bare, full := wiretest.Run(t, mustNew(t, testConfig()).NewConn(), stream, plan), wiretest.Run(t, heads.NewConn(), stream, plan)
		if len(bare.Msgs) != 5 || len(full.Msgs) != 5 {
			t.Fatalf("%s: %d and %d messages", name, len(bare.Msgs), len(full.Msgs))
		}
		for i, m := range full.Msgs {
			got := metaOf(heads, m)
			if !bytes.Equal(got.Data, bare.Msgs[i].Data) || m.Code != bare.Msgs[i].Code || m.Seq != bare.Msgs[i].Seq {
				t.Fatalf("%s: message %d is %q %d with its head", name, i+1, got.Data, m.Code)
			}
			attempts, timestamp := []string{"1", "65535", "7", "", "2"}[i], "1234567890"
			id := idOf(i + 1)
			if m.Code != worker.OK {
				id, timestamp = "", ""
			}
			if got.ID() != id || got.Meta("id") != id || got.Meta("timestamp") != timestamp || got.Meta("attempts") != attempts || got.Meta("topic") != "" {
				t.Fatalf("%s: message %d: id %q %q, timestamp %q, attempts %q", name, i+1,
					got.ID(), got.Meta("id"), got.Meta("timestamp"), got.Meta("attempts"))
			}
		}
	}
}

// TestMetadataNames: without heads, the names are the same and the values are empty.
func TestMetadataNames(t *testing.T) {
	for _, cfg := range []Config{testConfig(), withHeads()} {
		p := mustNew(t, cfg)
		meta := p.Meta
		if got := fmt.Sprint(meta.Names); got != "[id timestamp attempts]" || (meta.Split != nil) != cfg.Heads {
			t.Errorf("names %s, heads are cut off: %v", got, meta.Split != nil)
		}
		m := metaOf(p, wiretest.Message{Data: []byte("short")})
		if string(m.Data) != "short" || m.ID()+m.Meta("id")+m.Meta("attempts") != "" {
			t.Errorf("a message without a head: %q, id %q", m.Data, m.ID())
		}
	}
}

// FuzzMetadata compares metadata with the frame.
func FuzzMetadata(f *testing.F) {
	f.Add(uint64(1), uint16(1), strings.Repeat("0", idSize), "body")
	f.Add(uint64(1<<63), uint16(65535), "\n\x00\xff{\"'\\,;:.<>[]", "")
	f.Fuzz(func(t *testing.T, timestamp uint64, attempts uint16, id, body string) {
		if len(id) != idSize || len(body) > testLimit {
			return
		}
		b := binary.BigEndian.AppendUint64(nil, timestamp)
		b = binary.BigEndian.AppendUint16(b, attempts)
		p := mustNew(t, withHeads())
		r := wiretest.Run(t, p.NewConn(), cat(answers(), frame(2, string(b)+id+body)), wiretest.Whole(1<<12))
		if len(r.Msgs) != 1 {
			t.Fatalf("%d messages", len(r.Msgs))
		}
		m := metaOf(p, r.Msgs[0])
		if string(m.Data) != body || m.ID() != id || m.Meta("timestamp") != fmt.Sprint(int64(timestamp)) || m.Meta("attempts") != fmt.Sprint(attempts) {
			t.Fatalf("got %q, id %q, timestamp %s, attempts %s", m.Data, m.ID(), m.Meta("timestamp"), m.Meta("attempts"))
		}
	})
}

func TestMetadataAllocatesNothing(t *testing.T) {
	p := mustNew(t, withHeads())
	r := wiretest.Run(t, p.NewConn(), cat(answers(), message(1, 1, "one")), wiretest.Whole(1<<12))
	slab := pool.NewSlabs(1, func(uint16) {}).At(0)
	slab.Data, slab.Origin = r.Msgs[0].Data, &worker.Origin{Meta: p.Meta}
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		m := slab.Message(pool.Span(0, uint32(len(slab.Data))), 1, 0)
		dst = m.AppendID(dst[:0])
		for _, name := range names {
			dst = m.AppendMeta(dst, name)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a message", n)
	}
}
