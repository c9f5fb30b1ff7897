package assemble

import (
	"strings"
	"testing"
	"unicode/utf8"

	"feedgate/gateway/wire/wiretest"
)

// FuzzAssemble compares with the model. encoding/json replaces each byte that is
// not UTF-8, so texts with such bytes are only driven, not compared.
func FuzzAssemble(f *testing.F) {
	f.Add(`{"id":1,"data":"a"}`+"\n"+`{"id":1,"data":"b","end":true}`, uint16(1000), uint16(1000), []byte{40, 3, 5})
	f.Add(`{"id":"\ud83d","data":"\ud83d"}`+"\n"+`{"id":"\ude00","end":true}`+"\n{}", uint16(50), uint16(90), []byte{0, 0, 0x85})
	f.Add(`{"id":1,"data":7}`+"\n\r\r\n"+`{"id":1,"end":true,"x":[[{"id":2}]]}`, uint16(20), uint16(10), []byte{200})
	f.Add("{\"id\":\"\xff\"}\n{\"id\":\"\xfe\",\"end\":true,\"id\":\"\xff\"}", uint16(99), uint16(99), []byte{})
	f.Fuzz(func(t *testing.T, text string, maxMessage, memory uint16, steps []byte) {
		cfg := config()
		cfg.MaxMessage, cfg.Memory = int64(maxMessage)+1, int64(memory)+1
		msgs := strings.Split(text, "\n")
		got := run(t, cfg, wiretest.FromBytes(steps), msgs...)
		if !utf8.ValidString(text) {
			return
		}
		want := newModel(cfg)
		for _, m := range msgs {
			want.take(strings.TrimSuffix(m, "\r"))
		}
		wiretest.Compare(t, got, want.result())
	})
}
