package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// keyForm is where the key is in a message.
type keyForm struct {
	name     string
	selector string // of --key
	least    int    // length of the shortest message, in bytes
	// message returns a message with a key, without padding, and what ends it.
	message func(i int, key string) (head, tail string)
	// find returns the key of a message as a Go programmer would, who knows the messages.
	find func(msg []byte) []byte
}

// keyForms are the values of Config.KeyForm.
var keyForms = []keyForm{
	{"bytes", "bytes:0:8", keyLength,
		func(_ int, key string) (head, tail string) { return key, "" },
		func(msg []byte) []byte { return msg[:keyLength] }},
	{"field", "field:2:,", 40,
		func(i int, key string) (head, tail string) {
			return fmt.Sprintf("%d,%s,B,101.25,", firstTime+i, key), ""
		},
		func(msg []byte) []byte {
			_, rest, _ := bytes.Cut(msg, []byte(","))
			key, _, _ := bytes.Cut(rest, []byte(","))
			return key
		}},
	{"json", "json:k", 80,
		func(i int, key string) (head, tail string) {
			return fmt.Sprintf(`{"time":%d,"k":"%s","side":"B","price":101.25,"text":"`, firstTime+i, key), `"}`
		},
		func(msg []byte) []byte {
			var m struct {
				K string `json:"k"`
			}
			if err := json.Unmarshal(msg, &m); err != nil {
				panic(err) // the feed made it
			}
			return []byte(m.K)
		}},
}

const (
	keyLength = 8
	// firstTime is the time in the first message, in milliseconds since 1970.
	firstTime = 1_700_000_000_000
	// keyedBytes and keyedMessages limit the different messages with keys, like those of
	// feedserver's synthetic messages, if there are no more keys.
	keyedBytes, keyedMessages = 256 << 10, 8192
)

// findKeyForm returns the form with that name; nil if there is none.
func findKeyForm(name string) *keyForm {
	for i := range keyForms {
		if keyForms[i].name == name {
			return &keyForms[i]
		}
	}
	return nil
}

func keyFormNames() string {
	var names []string
	for _, f := range keyForms {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// messages returns messages of size bytes with one of so many keys each, chosen at random, the same in
// every call. Every key occurs.
func (f *keyForm) messages(keys, size int) [][]byte {
	rng := rand.New(rand.NewPCG(1, uint64(keys)))
	all := make([][]byte, max(keys, min(max(keyedBytes/(size+16), 1), keyedMessages)))
	for i, at := range rng.Perm(len(all)) {
		key := at
		if key >= keys {
			key = rng.IntN(keys)
		}
		head, tail := f.message(i, fmt.Sprintf("K%0*d", keyLength-1, key))
		all[i] = []byte(head + strings.Repeat("x", max(size-len(head)-len(tail), 0)) + tail)
	}
	return all
}
