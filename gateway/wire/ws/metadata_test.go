package ws

import (
	"strings"
	"testing"

	"feedgate/worker/selector"

	"feedgate/worker"
)

// TestMetadata: an ack can quote the kind of its message. An unknown name is an error that lists
// the known ones.
func TestMetadata(t *testing.T) {
	p := mustNew(t, Config{AckTemplate: `{n} {meta:kind} {id}`})
	if !p.RenderAcks {
		t.Fatal("workers do not render the acks")
	}
	id, err := selector.Parse("bytes:0:1")
	if err != nil {
		t.Fatal(err)
	}
	o := &worker.Origin{Meta: p.Meta, ID: &id}
	for tag, want := range map[uint8]string{textTag: "7 text d", 0: "7 binary d"} {
		m := o.Message([]byte("data"), 7, tag)
		frames := clientFrames(t, p.Render(nil, m, worker.OK))
		if len(frames) != 1 || frames[0].payload != want || (frames[0].op == opText) != (tag == textTag) {
			t.Errorf("ack %+v, want %q", frames, want)
		}
		if m.Meta("topic") != "" || (&worker.Origin{Meta: p.Meta}).Message(nil, 7, tag).ID() != "" {
			t.Error("a message has metadata that the protocol does not have")
		}
	}
	_, err = New(Config{MaxMessage: 1, AckTemplate: `{meta:topic}{meta:kind}{meta:topic}`})
	if err == nil || err.Error() != "--ack-template: meta:topic: ws:// has kind" {
		t.Errorf("error %v", err)
	}
	if _, err = New(Config{MaxMessage: 1, Hello: `{id}`}); err == nil || !strings.HasPrefix(err.Error(), "--hello: ") {
		t.Errorf("error %v", err)
	}
}
